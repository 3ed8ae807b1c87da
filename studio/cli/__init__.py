"""The command line: one file per command, named as the command. May import every room but the pages.

Read in this order:

    app         the commands, and the one place where an error becomes a line and an exit code
    options     arguments that several commands share
    console     tables and progress
    networks    what the commands do when a run breeds any other network
    evolve, report, score, sources, recipe, prompts, export, verify, monitor, votes
                one command each; torch and Gradio are imported inside them, so that `--help` is quick
"""
