"""Room on the disk, asked for before anything big is fetched or converted."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import SourceError

_SPARE = 64 << 20  # bytes left over, for headers and for everybody else


def check_room(folder: Path, size: int, what: str) -> None:
    """Refuse what will not fit.

    Args:
        folder: where it will lie; it need not be there yet.
        size: bytes.
        what: to be written, for the message.

    Raises:
        SourceError: less than `size` bytes and a little to spare are free.
    """
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if size + _SPARE > free:
        raise SourceError(
            f"{what} needs {size / 1e9:.2f} GB, {folder} has {free / 1e9:.2f} GB free. Free some space, or move that "
            "folder to another disk."
        )
