"""The task "any other network": weights bred by the score of a function that a person wrote; no pictures, no pages.

Imports execution, runs and what lies below.

Read in this order:

    config         what such a run is asked to do: a run file with `kind: any`
    user_scorer    the person's function: found, called, its errors told apart from scores
    live_network   networks from recipes, one after another in the same memory
    task           the task of such a run, and its folder
"""
