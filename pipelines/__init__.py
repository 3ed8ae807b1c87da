"""Weights and pictures: from checkpoints on disk to a woven model and back. Knows no evolution.

Imports nothing of the house; `errors` is the root of its error tree.

Read in this order:

    errors           the error tree of the house
    storage/         files: whole or not at all, mapped, pickled; room on the disk
    architectures/   names of tensors, their order, the chromosomes they form
    checkpoints/     open, inspect, hash and check a source, whatever its form
    recipes/         what an individual is: weights of the sources over segments; their inner products; crossover
    weaving/         a recipe to weights: one plan, run to memory or to disk
    generation/      a live pipeline: text embeddings, noise, pictures
    exporting/       a plan to a checkpoint that other tools open
    interchange/     mergekit's YAML in and out
"""
