"""Bringing a source here, from the hub or out of a pickled file, in a process of its own that can be ended."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from pipelines.checkpoints.source_uri import download_progress
from pipelines.errors import SourceError
from studio.stored_messages import stored_phrase

POLL_SECONDS = 0.2  # seconds between two looks


def fetch_source(uri: str, progress: Callable[[float, tuple[int, int] | None], None] | None = None) -> None:
    """Fetch or convert what a source needs, and check every byte of it; what has come is kept if this is stopped.

    Args:
        uri: what a person would write for it, paths made absolute.
        progress: called with the seconds that have passed, and bytes done and in all where they are known; may raise to
            stop.

    Raises:
        SourceError: it cannot be had, or it is no source.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stderr:
        command = [sys.executable, "-m", "studio.cli.app", "sources", "inspect", "--json", "--", uri]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            while process.poll() is None:
                if progress:
                    progress(time.monotonic() - started, download_progress(uri))
                time.sleep(POLL_SECONDS)
        finally:
            process.terminate()
            process.wait()
        if process.returncode != 0:
            stderr.seek(0)
            last = stderr.read().strip().rpartition("\n")[2]
            if not last:
                raise SourceError("{uri} could not be opened. Expected a source.", uri=uri)
            raise SourceError("{told}", told=stored_phrase(last.removeprefix("error: ")))
