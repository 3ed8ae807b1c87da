"""Carry a run to its end: created, started, stopped, resumed.

Imports breeding, evaluation and the rooms below; no page and no report.

Read in this order:

    creation      a new run's folder: everything it depends on is copied into it
    preflight     what a run will need
    fit           what of that does not fit the machine, in phrases
    workers       how many workers draw for a run, and where
    worker_watch  what they are about is told to the store, and how many are wanted is heard there
    lifecycle     a run as a process: one at a time, stopped after what is in hand
    task          what a run is about, as the loop sees it: measured, completed, reported
    recording     what the loop commits, and with which search
    loop          the one loop: ask, evaluate, tell, record; then report
    steering      what people favour, taken up at the next child
    picture_task  the task of a run that draws pictures, made of what evaluation has
    control       start, extend and end runs; carry out one that draws pictures
"""
