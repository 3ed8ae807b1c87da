"""What a run is: what was asked, who was born, how it stands. Knows no loop and no drawing.

Imports jobs (locks) and evolution (limits of its settings).

Read in this order:

    config        what a run is asked to do: frozen, typed
    run_keys      the keys of a run file as a table: default, limits, meaning
    config_file   the same, read from YAML
    inputs        the prompt sets and sources it names, read where a run is begun or shown
    kind          pictures, or any other network
    individual    where one came from, its recipe, its scores
    noise         the noise a prompt is drawn with, and what a picture says of it
    state         how it stands, as its process wrote it down
    database      the tables of `run.db`
    picture_names names of picture files, from ids that anybody may have written
    store         the folder of a run: one transaction per individual
    results       what a report shows, and whom it is about
    status        how a run stands, and who carries it
    summary       a run as one JSON object
"""
