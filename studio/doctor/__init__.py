"""Sources examined before they are bred: what is broken in them, and how they go beside others.

Imports analysis, library, runs and the pipelines.

Read in this order:

    findings      what an examination says, in words and as JSON
    examination   the examination of some sources, beside all that the studio knows
    comparison    whether sources can be merged, and the angles between them
"""
