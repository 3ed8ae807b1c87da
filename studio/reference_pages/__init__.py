"""The reference pages of `docs/`, made from the program: what a run file may say, what the command line
takes, and what licences permit.

`python -m studio.reference_pages` writes them, `make docs` runs it, and a test holds that the files are what it would
write. May import every room.

Read in this order:

    phrases        English sentences and their Japanese, from `japanese.json`; Markdown
    values         types, limits and defaults in words
    run_file       the keys of a run file, for pictures and for any other network
    command_line   every command with its arguments and options
    dependencies   packages, versions and licences
    licences       what each licence permits and asks, and what does not go together
"""
