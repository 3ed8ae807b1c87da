"""Checkpoints on disk, whatever their form: opened by their headers, hashed once, checked on entry.

Imports architectures and storage.

Read in this order:

    component     the weights of one component: read in blocks
    contents      what lies in a folder or a single file
    folder_card   what its card and header state
    sources       open, inspect and check a source
    source_uri    what a person may write for one
    hub           checkpoints of the hub
    lora_keys     what the keys of a LoRA file mean
    lora          a source "base + scale x delta", baked while weaving
"""
