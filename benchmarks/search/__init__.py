"""Is M2N2 the best search on pictures? Its ablations, other searches and plain merges at equal evaluations.

Imports `benchmarks.machine`, `benchmarks.progress` and the house.

Read in this order:

    task         recipes of the embedded family, judged and reported
    methods      the searches, behind one interface
    ties_dare    TIES and DARE as one more source
    table        the rows: each method with its settings
    run          every row and seed, resumed from `results/search`
    statistics   intervals and tests over seeds and prompts
    thrift       pictures until M2N2's score, and scores at equal pictures
    report       the table with verdicts
    sizes        fewer and more sources and prompts
    figures      curves, and pictures of the winners
"""
