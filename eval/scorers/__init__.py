"""Scorers: how well a picture fits a caption, or another picture.

Imports no other room.

Read in this order:

    scorer          what a scorer offers, as protocols: scores, and where it has them features
    names           what a scorer's name says by itself
    model_files     the files that a name stands for
    checked_config  what a configuration may ask for, checked before open_clip reads it
    hub             files of hub repositories: at hand, downloaded, or what to download
    catalogue       scorers recommended for full-size sources, and why
    tokens          how a scorer cuts captions into tokens, and what does not fit
    clip            open_clip models
"""
