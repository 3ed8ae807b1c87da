"""What the weights of a checkpoint say of its health, from one pass over them. Reads weights; changes nothing.

Imports recipes and the rooms below.

Read in this order:

    layers     names of tensors to layers, and which layers stand out
    measures   one pass: squares, inner products with other sources, values that are not finite
    weights    what the measures say: broken values, broken layers, the nearest source
"""
