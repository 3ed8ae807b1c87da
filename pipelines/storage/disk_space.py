"""Room on the disk, asked for before anything big is fetched, converted or exported."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.errors import DiskError

SPARE_BYTES = 64 << 20  # bytes left over, for headers, documents and everybody else


def free_space(folder: Path) -> int:
    """Return the bytes that are free on the disk where a folder lies, or will lie; it need not be there yet."""
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(existing).free


def has_room(folder: Path, size: int) -> bool:
    """Return whether `size` bytes and a little to spare are free for a folder."""
    return size + SPARE_BYTES <= free_space(folder)


def check_room(folder: Path, size: int, what: str) -> None:
    """Refuse to write what will not fit on a disk.

    Args:
        folder: where it will lie; it need not be there yet.
        size: how many bytes will be written.
        what: a name for what will be written, for the message.

    Raises:
        DiskError: less than `size` bytes and a little to spare are free.
    """
    if not has_room(folder, size):
        raise DiskError(
            "{what} needs {needed:.2f} GB, the disk of {folder} has "
            "{free:.2f} GB free. Free some space, or choose a folder on another disk.",
            what=what,
            needed=(size + SPARE_BYTES) / 1e9,
            folder=folder,
            free=free_space(folder) / 1e9,
        )
