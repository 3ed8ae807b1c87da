"""Folders of runs: made whole or not at all, and listed whatever state they are in.

Imports runs and the rooms below.

Read in this order:

    making    a new run's folder, filled under a hidden name and renamed
    file_states  whether files of a run changed since they were read
    listing   the runs in a folder: those that can be read, and why others cannot
    labels    what people call a run and say of it: `label.json`
    figures   what a run has come to, in numbers to sort runs by
    removing  a run goes, out of sight at once, then from the disk
"""
