"""Exports measured again: did anything change since they were born?

Imports evaluation, exporting and the rooms below; no run is needed.

Read in this order:

    remeasure   the same captions, noise, settings and scorer, on the exported files
    drift       what changed between two measurements. Pure
    scheduler   measurements by hand or on a schedule, each in a process of its own
"""
