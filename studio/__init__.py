"""What a person does: evolve, browse, compare, judge, export. Rooms, from the front door to the cellar.

Imports point down: a room may import those on the floors below its own (`python -m tests.floors` draws them).

Read in this order:

    reference_pages/ the pages of `docs/` that are made from the program
    cli/             the command line: one file per command
    ui/              the pages, and the server they come from
    networks/        the task "any other network": a scorer that a person wrote, no pictures
    execution/       carry a run to its end: create, start, stop, resume
    monitoring/      measure exports again, on a schedule
    reports/         a run as one page, contact sheets, and the drawings in them
    evaluation/      draw and score individuals; the held-out report
    exporting/       an individual as a checkpoint with its card, licences and certificate
    analysis/        what a run tells: weak spots, lineage, who is shown. Numbers in, numbers out
    breeding/        recipes that are bred: the first ones, and crossover
    judging/         what people said: votes, rankings, stars, and votes as niches
    library/         the sources and prompt sets a studio knows
    runs/            what a run is: configuration, individuals, store, status
    licences/        what a licence asks for, and what a merge inherits
    jobs/            processes, locks, and the queue for a device
    evolution/       M2N2 itself: niches, competition, archive, search. Pure

Every room may use the modules that lie here: errors, plain_values, i18n with its locales, stored_messages, formatting,
markdown, journal, environment, png_metadata.
"""
