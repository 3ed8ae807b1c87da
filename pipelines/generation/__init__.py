"""Pictures from a recipe: a live pipeline of plain diffusers classes.

Imports weaving and the rooms below.

Read in this order:

    settings        steps, guidance, size; presets; few-step LoRAs
    cost            memory and operations, from headers and configurations
    devices         how a pipeline fits the machine
    build           modules by their configurations, filled with weights from a plan
    live_pipeline   text embeddings, fixed noise, pictures, one recipe after another
"""
