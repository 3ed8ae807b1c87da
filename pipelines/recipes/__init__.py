"""What an individual is: weights of the sources over segments. No tensors are touched.

Imports checkpoints, architectures and storage.

Read in this order:

    recipe          the recipe file: types, JSON, validation
    statement       what a person stated of its licences
    weight_sums     what the weights of a merge add up to
    pinning         a recipe against the sources at hand
    gram            inner products of the sources over any stretch of a chromosome
    crossover       split point, mixing ratio, SLERP: two recipes to one
    compatibility   how alike sources are, and what each changed of a base
"""
