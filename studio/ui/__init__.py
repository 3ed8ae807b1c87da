"""The studio in a browser: pages in English and Japanese. Pages import `common`, the rooms below and no other page.

Read in this order:

    server/      the application, its routes, and who may call them
    common/      what pages have in common: the studio they show, their frame, HTML that no component draws
    new_run/     start a run
    evolve/      watch a run and steer it
    sources/     the checkpoints that evolution starts from
    prompts/     prompt sets, and an editor for them
    archive/     the individuals of a run
    compare/     models beside each other, on any caption
    judge/       two pictures, blind; what the votes say
    weak_spots/  what a run does not draw well, and what its numbers suggest
    export/      one individual as a checkpoint
    monitor/     exports measured again, on a schedule

A page is a folder: `page` lays it out and wires its handlers, which are plain functions; its own parts lie beside it.
"""
