"""What a person does: evolve, browse, compare, judge, export.

Read in this order:

    errors      what can go wrong with a run
    config      what a run is asked to do: frozen, typed; run_file reads it from YAML
    store       the run folder and its database
    evolution/  M2N2 itself: niches, early rejection, archive, search; pure
    evaluate    weave, draw and score one individual
    breeding    the first individuals, and the crossover the search breeds with
    run         the process that carries a run to its end; stop, resume
    results     the held-out report: sources, average, child
    votes       what people said of two pictures, blind; pairs chooses which two
    standing    what votes say: rankings, agreement
    taste       votes as niches of another run
    history     the archive after each offspring, played again
    report/     a run as one page that opens anywhere
    contact_sheet   models by captions by noises, as a picture and as a page
    summary     a run as one JSON object, for `--json` and the pages
    scoring     scores of one model outside a run; how alike sources are
    models      what a person may name: a source, a recipe file, RUN:INDIVIDUAL
    preflight   what a run will need, and whether that fits
    ledger      licences, and what a merge inherits
    shelf       the sources a studio knows; fetching brings one here, strengths says what each is good at
    prompt_shelf    the prompt sets a studio knows; captions counts how long theirs are
    weak        weak spots of a run, and what its numbers suggest
    about       what is known of a checkpoint beside its recipe
    birth       the certificate that an export takes along: what was measured of it, and how
    card        the model card
    ship        export an individual with its card, recipe and licences: plan, preview, send; push it to the hub
    package     a recipe-only export: a zip from which the weights are rebuilt
    names       names of exports
    exports     exports as they lie on the disk, and which one is in use
    verify      an export beside its recipe, bit for bit
    measure     scores of an exported checkpoint, as at its birth; drift compares, monitor keeps schedules
    preview     pictures for a page, drawn one at a time
    pictures    PNG files that say how they were made
    standalone  pages that open without a server, from `templates/`; fonts finds one with Japanese
    machine     what a run is computed on
    wording     numbers as people read them
    cli         the command line (cli_sources, cli_recipe, cli_prompts, cli_report, cli_verify, cli_monitor, cli_votes)
    console     its tables and progress
    i18n        words in English and Japanese
    ui/         one file per page
"""
