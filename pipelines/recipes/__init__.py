"""What an individual is: weights of the sources over segments. No tensors are touched.

Imports checkpoints, architectures and storage.

Read in this order:

    chromosome        stretches of weights: types of the recipe file
    component_hashes  the hashes by which it names its sources' components
    recipe            the recipe file: types, JSON, validation
    lineage           an offspring's parents, and the crossover that made it
    statement         what a person stated of its licences
    weight_sums       what the weights of a merge add up to
    pinning           a recipe against the sources at hand
    mergeable         whether sources fit together at all
    merged            what it merges of them: whether that fits, and what comes out
    lenders           who lends what is not merged, by name or by place
    beside            where the file that a person saves says that sources lie
    gram              inner products of the sources over any stretch of a chromosome
    crossover         split point, mixing ratio, SLERP: two recipes to one; and mixes on a straight line
    compatibility     how alike sources are, and what each changed of a base
"""
