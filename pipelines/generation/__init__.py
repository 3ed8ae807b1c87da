"""Pictures from a recipe: a live pipeline of plain diffusers classes.

Imports weaving and the rooms below.

Read in this order:

    settings          steps, guidance, size; presets; few-step LoRAs
    cost              memory and operations, from headers and configurations
    devices           how a pipeline fits the machine
    build             modules by their configurations, filled with weights from a plan
    quiet             what keeps diffusers and transformers silent
    prompt_syntax     how a prompt is read: as it stands, or with A1111's weights and breaks
    prompt_chunks     prompts in chunks of tokens, embedded with their weights
    broken_pictures   what is wrong with a picture that is none
    live_pipeline     text embeddings, fixed noise, pictures, one recipe after another
    prediction_probe  noise or velocity: told by one step on noise
"""
