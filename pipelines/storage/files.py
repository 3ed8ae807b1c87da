"""Cache places, and files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from .unfinished import claim, unfinished_path


def cache_dir() -> Path:
    """Return the folder for what can be computed again, such as hashes and Gram matrices; `M2N2_CACHE` moves it."""
    return Path(os.environ.get("M2N2_CACHE") or platformdirs.user_cache_path("m2n2-studio"))


def lies_in(file: Path, folder: Path) -> bool:
    """Return whether a regular file lies in a folder when links are followed.

    What comes with somebody else's checkpoint is copied into exports, and a link in it may lead anywhere on this disk.
    A snapshot of the hub's cache is a folder of links to the files beside it, and those belong to it.
    """
    is_snapshot = folder.parent.name == "snapshots" and (folder.parents[1] / "blobs").is_dir()
    root = folder.parents[1] if is_snapshot else folder
    return file.is_file() and file.resolve().is_relative_to(root.resolve())


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and rename it into place, so that no reader ever sees half a file.

    The one way in which small files are written. A process that is killed amid it leaves a file that bears an
    unfinished name, see `unfinished`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished_path(path)
    try:
        with open(temporary, "xb") as file:
            claim(file.fileno())
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
