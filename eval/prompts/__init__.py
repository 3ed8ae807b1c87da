"""Prompt sets: captions in Japanese and English.

Imports no other room.

Read in this order:

    prompt_set       a set, its file, and subsets spread over the categories
    problems         what is wrong with a set, in phrases
    tables           tables in any letters, under the headers that people write
    editing          sets in the making: tables, twins, duplicates, splits
    stair_captions   sets from STAIR Captions and their photographs
"""
