"""Folders of runs: made whole or not at all, and listed whatever state they are in.

Imports runs and the rooms below.

Read in this order:

    making    a new run's folder, filled under a hidden name and renamed
    listing   the runs in a folder: those that can be read, and why others cannot
    removing  a run goes, out of sight at once, then from the disk
"""
