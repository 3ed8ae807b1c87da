"""Recipes that are bred: whom a search begins with, crossover, and the search itself.

Imports runs and evolution.

Read in this order:

    settings             what breeding needs to know of a run's settings
    initial_population   the sources as individuals, merges made by hand, the archive of a former run
    variation            the crossover of recipes
    recipe_space         recipes as points whose distances are those of their weights
    nudges               one of the best with more of one source in a stretch
    foresight            of a pool of children the one that is expected to win most
    expected_scores      what a run's scores say of a recipe that nobody has drawn
    score_map            a map of recipes along the two axes that matter most
    source_effects       what more of a source in one half of the network changes
    search_method        a search over recipes, as protocols: asked, told, resumed
    m2n2                 the studio's own, from the sources on
"""
