"""Weights and pictures: from checkpoints on disk to a woven model and back. Knows no evolution.

Read in this order:

    errors      the error tree of the house
    files       cache places and files that appear whole or not at all
    keys        canonical names of tensors, their order, and the chromosomes they form
    sources     open, inspect, hash and check a checkpoint
    recipe      the recipe file: types, JSON, validation
    gram        inner products of the sources over any stretch of a chromosome
    crossover   split point, mixing ratio, SLERP: two recipes to one
    weave       a recipe to tensors: one plan, run into a live model or to disk
    generate    a live pipeline: text embeddings, fixed noise, pictures
    export      a recipe to a folder that plain diffusers loads
"""
