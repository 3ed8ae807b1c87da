"""What is not finished yet: how it is named beside its place, and what of it a killed process left behind.

Whatever is written takes its name when it is whole, see `files.write_whole`. Until then it is called
`.NAME.<12 hex digits>.m2n2-part` and lies in the folder where NAME will lie; whoever writes it holds a lock on it,
which the system lets go of when the process is killed. What bears such a name and is locked by nobody is a leftover.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.untrusted import read_json

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_UNFINISHED = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.m2n2-part", re.DOTALL)
_MOVING = "moving.json"  # in an unfinished folder: which of its outputs are being renamed, by name


@dataclass(frozen=True)
class Leftover:
    """Something that a killed process was writing.

    Attributes:
        path: where it lies.
        name: what it was to be called.
        size: the bytes that removing it frees.
    """

    path: Path
    name: str
    size: int


def unfinished_path(target: Path) -> Path:
    """Return a new name beside `target` for what is not finished yet."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.m2n2-part")


def claim(descriptor: int) -> bool:
    """Hold an unfinished file or folder, by its open descriptor, against whoever removes leftovers.

    Returns:
        Whether nobody else holds it; true where there are no such locks.
    """
    if fcntl is None:
        return True  # on Windows, where what is open cannot be removed
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


@contextlib.contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """Make a folder beside `target` for what is not finished yet, and remove it with all that is in it at the end."""
    folder = unfinished_path(target)
    folder.mkdir()
    descriptor = None if fcntl is None else os.open(folder, os.O_RDONLY)
    try:
        if descriptor is not None:
            claim(descriptor)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def note_moving(folder: Path, outputs: list[Path]) -> None:
    """Note which outputs in an unfinished folder are about to be renamed, one after the other, to lie beside it.

    A process that is killed between two of them leaves some under their final names; the note tells them from
    everything else that may be called so.
    """
    (folder / _MOVING).write_text(json.dumps({path.name: path.stat().st_ino for path in outputs}), "utf-8")


def leftovers(folder: Path, *, below: bool = True) -> list[Leftover]:
    """List what killed processes left in a folder and, if wanted, in those below it.

    What somebody is writing now is none.
    """
    found = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path, match = Path(place, name), _UNFINISHED.fullmatch(name)
            if match and not path.is_symlink() and not _is_claimed(path):
                found.append(Leftover(path, match["name"], sum(map(_size, [path, *_half_moved(path)]))))
        folders[:] = sorted(name for name in folders if below and not _UNFINISHED.fullmatch(name))
    return sorted(found, key=lambda leftover: leftover.path)


def remove_leftover(leftover: Leftover) -> None:
    """Remove what a killed process left: what lies under its unfinished name, and what was half renamed out of it.

    Raises:
        OSError: it cannot be removed.
    """
    if _is_claimed(leftover.path):
        return
    for path in [*_half_moved(leftover.path), leftover.path]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _half_moved(folder: Path) -> list[Path]:
    """Return outputs of an unfinished folder that bear their final names, where others of them do not yet."""
    try:
        moving = read_json(folder / _MOVING)
    except (OSError, ValueError):  # no folder of several outputs, or killed before the first of them was renamed
        return []
    if not any((folder / name).exists() for name in moving):
        return []  # all of them were renamed: they are whole
    targets = {folder.with_name(name): inode for name, inode in moving.items()}
    return [path for path, inode in targets.items() if path.exists() and path.stat().st_ino == inode]


def _is_claimed(path: Path) -> bool:
    """Whether somebody writes an unfinished file or folder now."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # it is gone by now, or somebody else's
        return True
    try:
        return not claim(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    inside = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in inside if not file.is_dir())
