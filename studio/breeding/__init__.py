"""Recipes that are bred: the first ones, and crossover as the search wants it.

Imports runs and evolution.

Read in this order:

    initial_population   the sources as individuals, merges made by hand, the archive of a former run
    variation            the crossover of recipes
"""
