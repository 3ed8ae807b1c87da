"""Results are written beside their place and take it when they are whole, all of them or none."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import ExportError
from pipelines.storage.disk_space import check_room


def new_folder(target: str | Path) -> Path:
    """Return the folder to write to.

    Raises:
        ExportError: there is something in it already.
    """
    folder = Path(target).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} exists already. Expected a new or empty folder; choose another name.")
    return folder


def refuse_taken(targets: list[Path]) -> None:
    """Refuse to overwrite.

    Raises:
        ExportError: one of the targets is there already.
    """
    for target in targets:
        if target.exists():
            raise ExportError(f"{target} exists already. Expected a new name; choose another one.")


@contextlib.contextmanager
def written_beside(*targets: Path, size: int) -> Iterator[list[Path]]:
    """Paths beside the targets, renamed to them at the end, all or none; removed if anything goes wrong."""
    place = targets[0].parent
    try:
        check_room(place, size, targets[0].name)
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=f".{targets[0].name}.") as folder:
            unfinished = [Path(folder) / target.name for target in targets]
            yield unfinished
            _move(list(zip(unfinished, targets, strict=True)))
    except OSError as error:
        raise ExportError(
            f"{targets[0]} could not be written: {error.strerror or error}. Nothing was left behind; free some space "
            "or choose another place, and export again."
        ) from error


def _move(pairs: list[tuple[Path, Path]]) -> None:
    moved = []
    try:
        for made, target in pairs:
            os.replace(made, target)
            moved.append((made, target))
    except BaseException:
        for made, target in moved:
            os.replace(target, made)
        raise
