"""Weights and pictures: from checkpoints on disk to a woven model and back. Knows no evolution.

Read in this order:

    errors        the error tree of the house
    files         cache places and files that appear whole or not at all; room on a disk is in `room`
    keys          canonical names of tensors, their order, and the chromosomes they form
    tensor_file   a safetensors file, checked when opened and mapped when read
    component     the weights of one component: read in blocks, hashed once
    sgm           single-file names, both ways, exact (sgm_names: the names themselves)
    sdxl          what a single file does not hold: configurations and tokenizers
    contents      what lies in a folder or a single file
    architecture  which model a UNet is, and what it predicts
    sources       open, inspect and check a checkpoint
    origins       what a person may write for one: paths, hub ids (hub), pickled files (pickled), LoRAs (lora*)
    recipe        the recipe file: types, JSON, validation
    pinning       a recipe against the sources at hand
    gram          inner products of the sources over any stretch of a chromosome
    compatibility    how alike sources are, and what each changed of a base
    crossover     split point, mixing ratio, SLERP: two recipes to one
    plan          what a recipe asks of its sources, tensor by tensor, and how a block of it is built
    parallel      blocks of work on every core
    weave         a plan run into a live model or to disk
    settings      how pictures are made: presets, few-step LoRAs
    cost          memory and operations of a model, from its headers
    devices       how a pipeline fits an accelerator, or a CPU
    build         a pipeline of plain diffusers classes from any source
    generate      the live pipeline: text embeddings, fixed noise, pictures
    export        a plan to a folder, or to a single file (single_file), that other tools open
    provenance    where a merge comes from: origins, ancestors, file hashes
    metadata      what a single file says of itself in its header
"""
