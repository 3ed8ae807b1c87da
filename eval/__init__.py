"""What a picture is worth: prompt sets, scorers and the numbers of a report. Knows no weights and no evolution.

Imports the root of the error tree in `pipelines.errors`, and nothing else of the house.

Read in this order:

    errors         what can go wrong with a prompt set, a scorer or a list of numbers
    prompts/       captions in Japanese and English
    scorers/       pictures and captions to features, features to scores in 0..1
    metrics        similarity, cross-lingual consistency, averages with intervals; numpy only
    cmmd           how far a set of pictures is from a set of photographs; numpy only
    preferences/   what people prefer, from their votes
"""
