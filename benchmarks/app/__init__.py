"""How fast the studio is: an evaluation, the pages, many people at once.

Imports `benchmarks.machine` and the house.

Read in this order:

    evaluation      where the time of an evaluation goes
    synthetic_run   a run that was never carried out, as large as a long one
    pages           how long a page takes in a browser
    load            how long answers take when fifty browsers watch and vote
"""
