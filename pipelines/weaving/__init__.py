"""A recipe to weights: one plan is previewed, woven to memory and woven to disk.

Imports recipes and the rooms below.

Read in this order:

    plan        what a recipe asks of its sources, tensor by tensor, and how a block of it is built
    weave       a plan run into a live model or to disk
    difference  how far a merge is from its host, on a sample of every tensor
"""
