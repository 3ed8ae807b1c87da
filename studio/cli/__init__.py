"""The command line: files named as commands. May import every room but the pages.

Read in this order:

    app         the commands, and the one place where an error becomes a line and an exit code
    options     arguments that several commands share
    console     tables and progress
    networks    what the commands do when a run breeds any other network
    evolve, report, score, sources, recipe, prompts, export, verify, monitor, votes
                one command each, or a few that belong together: `score` draws too, `report` shows and reviews, `export`
                merges, `verify` cleans; torch and Gradio are imported inside them, so that `--help` is quick
"""
