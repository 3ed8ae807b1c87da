"""What a picture is worth: prompt sets, scorers and the numbers of a report. Knows no weights and no evolution.

Read in this order:

    errors      what can go wrong with a prompt set, a scorer or a list of numbers
    prompts     prompt sets: captions in Japanese and English, their files, subsets spread over the categories
    prompt_edit prompt sets in the making: tables, twins, duplicates, splits
    stair       prompt sets from STAIR Captions and their photographs
    metrics     cosine similarity, cross-lingual consistency, averages with bootstrap intervals; numpy only
    realism     how far a set of pictures is from a set of photographs: CMMD; numpy only
    ratings     votes to Bradley-Terry strengths with intervals; how often a scorer agrees with people
    taste       what somebody prefers, learned from votes on features of pictures
    catalogue   the scorers recommended for full-size sources, and why
    hub         files of hub repositories: from a folder or the cache, downloaded, or what to download
    names       the names of scorers, and the files they stand for
    tokens      how a scorer cuts captions into tokens, and what does not fit
    clip        open_clip models as scorers: pictures and captions to features, features to scores in 0..1
"""
