"""A child and the best source, each plain and searched at drawing time, at equal pictures.

Imports the house, and of the benchmarks none but the machine.

Read in this order:

    measure     pictures found by one scorer, looked at by another
    __main__    the options, and the table
"""
