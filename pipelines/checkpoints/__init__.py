"""Checkpoints on disk, whatever their form: opened by their headers, hashed once, checked on entry.

Imports adapters, architectures and storage.

Read in this order:

    component          the weights of one component: read in blocks
    weight_files       which files of a folder hold a component
    contents           what lies in a folder
    single_files       what lies in a single file
    completeness       whether a component is whole, by its configuration
    folder_card        what its card and header state
    civitai            what download tools note beside a file of what Civitai says of it
    sources            open, inspect and check a source
    widened            a UNet whose first convolution reads fewer channels than the result's
    adapted            a source "base + scale x change": LoRA and its kin, baked while weaving
    hub_names          names of repositories of the hub
    hub                checkpoints of the hub
    source_expression  the little language in which a person writes a source
    source_uri         a source that is written in it, opened
"""
