"""Checkpoints on disk, whatever their form: opened by their headers, hashed once, checked on entry.

Imports adapters, architectures and storage.

Read in this order:

    eight_bits         weights in eight bits: what a stored one stands for
    tensor_ref         the place of a tensor in the file that holds it
    component          the weights of one component: read in blocks
    contents           what lies in a folder or a single file
    folder_card        what its card and header state
    civitai            what download tools note beside a file of what Civitai says of it
    sources            open, inspect and check a source
    adapted            a source "base + scale x change": LoRA and its kin, baked while weaving
    hub                checkpoints of the hub
    source_expression  the little language in which a person writes a source
    source_uri         a source that is written in it, opened
"""
