"""Weights of real size and no meaning.

Imports the house.

Read in this order:

    checkpoints   full-size SDXL checkpoints with random weights
    opening       what is read of one when it is opened
    rivals        one side of a comparison, in a process of its own
    weave         disk to disk
    merge         `m2n2 merge` and other commands, from Enter to the prompt
    live          a live UNet woven again and again
"""
