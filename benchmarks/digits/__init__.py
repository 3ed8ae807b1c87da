"""The paper's own experiment (M2N2, arXiv 2508.16204, section 4.1).

Imports `benchmarks.machine` and `studio.evolution`.

Read in this order:

    task      pictures of digits, a small network, and what evolution starts from
    methods   whoever chooses the parents and whoever survives
    run       every method and seed, resumed from `results/digits`
    report    the table and the figure
"""
