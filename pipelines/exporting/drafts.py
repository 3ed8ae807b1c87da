"""Results are written beside their place and take it when they are whole, all of them or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.checkpoints.sources import Source
from pipelines.errors import ExportError
from pipelines.storage.disk_space import check_room
from pipelines.storage.unfinished import note_moving, unfinished_folder


def require_empty_folder(target: str | Path) -> Path:
    """Return the folder to write to, which need not be there yet.

    Raises:
        ExportError: there is something in it already, or it is a file.
    """
    folder = Path(os.path.expanduser(target))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(
            "{folder} exists already. Expected a new or empty folder; choose another name.", folder=folder
        )
    return folder


def refuse_existing(targets: list[Path]) -> None:
    """Refuse to overwrite what is there.

    Raises:
        ExportError: one of the targets is there already.
    """
    for target in targets:
        if target.exists():
            raise ExportError("{target} exists already. Expected a new name; choose another one.", target=target)


def refuse_in_sources(targets: Iterable[Path], sources: Iterable[Source]) -> None:
    """Refuse to write over a source or into its folder: what is merged stays as it was published.

    Raises:
        ExportError: one of the targets is a source's file, or lies in a source's folder.
    """
    for target in targets:
        for source in sources:
            if target.resolve().is_relative_to(source.path.resolve()):
                raise ExportError(
                    "{target} lies in {path}, which is a source of this recipe. Expected a place outside of "
                    "the sources; choose another one.",
                    target=target,
                    path=source.path,
                )


@contextlib.contextmanager
def atomic_outputs(*targets: Path, size: int) -> Iterator[list[Path]]:
    """Give paths beside the targets to write to; rename them to the targets at the end, all or none.

    What was written is removed if anything goes wrong. The last target is renamed first and the first one last: where
    that has its name, all of them do, even if the process is killed between two renames.

    Args:
        targets: files or folders of one parent, none of which is there; the one that the others belong to comes first.
        size: the bytes that will be written.

    Yields:
        A path for each target.

    Raises:
        DiskError: the disk has not got the room.
        ExportError: the disk cannot be written.
    """
    place = targets[0].parent
    try:
        check_room(place, size, targets[0].name)
        place.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(targets[0]) as folder:
            unfinished = [folder / target.name for target in targets]
            yield unfinished
            if len(unfinished) > 1:
                note_moving(folder, unfinished)
            _move_all(list(zip(unfinished, targets, strict=True))[::-1])
    except OSError as error:
        raise ExportError(
            "{target} could not be written: {reason}. Nothing was left behind; free some space "
            "or choose another place, and export again.",
            target=targets[0],
            reason=error.strerror or error,
        ) from error


def _move_all(pairs: list[tuple[Path, Path]]) -> None:
    """Rename each path to its target; take back those that were renamed where one cannot be."""
    moved = []
    try:
        for made, target in pairs:
            os.replace(made, target)
            moved.append((made, target))
    except BaseException:
        for made, target in moved:
            os.replace(target, made)
        raise
