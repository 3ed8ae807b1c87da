"""What a run depends on beside its own folder: recorded when it begins, compared when it goes on.

Imports runs and the rooms below.

Read in this order:

    record      sources, files, programs, machine and threads, as they are now
    difference  what of it is another than it was
    agreement   a difference stops a run, unless a person states why it may go on
"""
