"""Search at drawing time: think longer about one picture. Numbers in, numbers out; nothing is drawn here.

Imports the settings of pictures, and no other room.

Read in this order:

    space       what is searched: noise, guidance, steps, wording
    attempts    what was tried so far, and how much may still be tried
    best_of_n   other noise each time, nothing else
    ab_mcts     adaptive branching Monte Carlo tree search: other noise, or something else about what is good already
    search      the two by their names
"""
