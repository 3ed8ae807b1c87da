"""What a picture is worth: prompt sets, scorers and the numbers of a report. Knows no weights and no evolution.

Read in this order:

    errors    what can go wrong with a prompt set, a scorer or a list of numbers
    prompts   prompt sets: captions in Japanese and English, their files, subsets spread over the categories
    metrics   cosine similarity, cross-lingual consistency, averages with bootstrap intervals; numpy only
    clip      open_clip models as scorers: pictures and captions to features, features to scores in 0..1
"""
