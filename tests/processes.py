"""Processes of their own for what pages and tests start, forked from one that has imported all that they need.

A command imports for seconds before it begins. Tests that look at what a page shows of a process, and not at how it is
started, need not wait for that: `tests/studio/ui/test_pages.py`, the first afternoon and the tests of the commands do.
"""

import contextlib
import multiprocessing
import os
import sys

from studio.cli import app as cli

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    ["studio.cli.app", "studio.execution.loop", "studio.monitoring.scheduler", "gradio", __name__]
)


def command(arguments, log=os.devnull):
    """Run a command of `m2n2`; what it prints goes to a file."""
    with open(log, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.argv = ["m2n2", *map(str, arguments)]
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            cli.main()


def start(arguments, log):
    """Stand in for `studio.jobs.process.spawn`."""
    FORKED.Process(target=command, args=(arguments, log)).start()
