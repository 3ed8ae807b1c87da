"""A source on another machine than the run's: found there by its hashes, or copied there once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from pipelines.checkpoints.source_expression import SourceExpression
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.errors import Phrase, SourceError
from pipelines.exporting.places import noted_uris
from pipelines.recipes.recipe import RecipeSource
from pipelines.storage.disk_space import check_room
from pipelines.storage.files import cache_dir
from pipelines.storage.unfinished import unfinished_folder
from studio.conditions.record import RecordedSource, recorded_source

from .offer import Offer, OfferedFile

logger = logging.getLogger(__name__)

Say = Callable[[str], None]
LOCK_SECONDS = 10.0  # between two signs of life of who waits for another's copy
_TENTHS = 10  # of a copy, of which each is told


@dataclass(frozen=True)
class WantedSource:
    """A source as the run's own process has it.

    Attributes:
        named: as recipes name it, by which other machines know where they have it.
        record: hashes of all that is in it.
        written: its URI, read where its files are: what a text means depends on which paths there are.
        operands: the names of the folders and files that it is made of, in their order.
        files: what a copy is made of.
    """

    named: RecipeSource
    record: RecordedSource
    written: SourceExpression
    operands: tuple[str, ...]
    files: tuple[OfferedFile, ...]

    @property
    def digest(self) -> str:
        """What a copy of it is called: SHA-256, in hex, of its hashes."""
        return hashlib.sha256(json.dumps([self.record.weights, self.record.documents]).encode()).hexdigest()


def open_on_node(wanted: WantedSource, offer: Offer, say: Say) -> Source:
    """Open a source on this machine: under the run's own URI, where the same weights lay before, or as a copy.

    What lies there and has other hashes is passed over. A copy is made once per machine, whoever asks first.

    Args:
        wanted: the source.
        offer: who hands out its files.
        say: told what is being done, as a sign of life.

    Raises:
        SourceError: it cannot be copied, or the copy is not what was expected.
        DiskError: there is no room for a copy.
    """
    named = wanted.named
    for uri in dict.fromkeys([named.uri, *noted_uris(named)]):
        with contextlib.suppress(SourceError):  # there is nothing, or nothing that opens
            say(f"reads {named.name}")
            source = open_source_uri(uri, name=named.name)
            difference = _difference(wanted, source)
            if difference is None:
                return source
            logger.warning("%s", difference)
            say(str(difference))
    return _open_copy(wanted, offer, say)


def _difference(wanted: WantedSource, source: Source) -> Phrase | None:
    """Say in which of its hashes a source differs from the one that is wanted; None where it is that one.

    Raises:
        SourceError: it cannot be read.
    """
    found, expected = recorded_source(source), wanted.record
    rows = [(part, expected.weights.get(part), found.weights.get(part)) for part in expected.weights | found.weights]
    rows.append(("documents", expected.documents, found.documents))
    for part, one, other in rows:
        if one != other:
            return Phrase(
                "{name} at {place} has another {part}: expected sha256 {expected}, found {found}.",
                name=wanted.named.name,
                place=source.uri,
                part=part,
                expected=one or "-",
                found=other or "-",
            )
    return None


def _open_copy(wanted: WantedSource, offer: Offer, say: Say) -> Source:
    folder = cache_dir() / "staged" / wanted.digest
    with _alone(folder, wanted.named.name, say):
        if not folder.is_dir():
            _make_copy(wanted, offer, say, folder)
        operands = [str(folder / str(number) / name) for number, name in enumerate(wanted.operands)]
        source = open_source_uri(wanted.written.moved_to(operands).uri, name=wanted.named.name)
        say(f"reads {wanted.named.name}")
        difference = _difference(wanted, source)
        if difference is not None:
            shutil.rmtree(folder)
            raise SourceError(
                "{difference} The copy was removed. Resume the run: the source is copied again from the run's machine.",
                difference=difference,
            )
    return source


@contextlib.contextmanager
def _alone(folder: Path, name: str, say: Say) -> Iterator[None]:
    """Keep the other workers of this machine from copying the same source."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.with_suffix(".lock"))
    while True:
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except filelock.Timeout:
            say(f"waits for another worker to copy {name}")
        else:
            break
    try:
        yield
    finally:
        lock.release()


def _make_copy(wanted: WantedSource, offer: Offer, say: Say, folder: Path) -> None:
    name, size = wanted.named.name, sum(file.size for file in wanted.files)
    check_room(folder, size, name)
    done = 0
    with unfinished_folder(folder) as draft:
        for file in wanted.files:
            target = draft / folder.name / file.inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "wb") as output:
                try:
                    for piece in offer.pieces(file):
                        output.write(piece)
                        told, done = done * _TENTHS // max(size, 1), done + len(piece)
                        if done * _TENTHS // max(size, 1) > told:
                            say(f"copies {name}: {done / 1e9:.2f} of {size / 1e9:.2f} GB")
                except OSError as error:
                    raise SourceError(
                        "{name} cannot be copied to this machine: {reason}. Expected the run's machine to read it and "
                        "this one to have room; put it on a disk that all machines share, or at the same path.",
                        name=name,
                        reason=str(error),
                    ) from error
        os.replace(draft / folder.name, folder)
