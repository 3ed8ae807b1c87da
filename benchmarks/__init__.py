"""Run by hand or by `make bench`, never by the tests: each prints a table; README.md says what it measures.

May import the whole house; a benchmark imports no other one.

Read in this order:

    machine        the machine a benchmark ran on, as its table names it
    progress       how soon a search is as good as another one
    app/           an evaluation and the pages
    full_size/     weights of real size: disk to disk, and live
    any_network/   two tiny language models with a scorer of one's own
    digits/        the paper's own experiment
    search/        M2N2 beside other searches, on pictures
    inference_search/  a child and the best source, searched at drawing time
"""
