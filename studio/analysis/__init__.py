"""What a run tells. Numbers in, numbers out.

Imports judging, runs and evolution; draws nothing, opens no checkpoint and of pictures those of a run.

Read in this order:

    lineage         who descends from whom
    source_shares   how much of each source is in a recipe
    replay          the archive after each offspring, played again
    selection       which individuals the wall shows, and in which order
    look_alikes     models whose pictures look alike
    colours         brightness, saturation and contrast of pictures, and how far they drifted from the sources'
    weak_spots      prompts that nobody alive draws well, and what the numbers suggest
"""
