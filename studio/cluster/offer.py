"""The files of the run's sources, handed out in pieces by the run's machine to those that have not got them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # who hands out opens nothing
    from pipelines.checkpoints.sources import Source

PIECE_BYTES = 32 << 20
_ON_THE_WAY = 3  # pieces that are asked for at once, the one that is written now among them
_DOCUMENTS = (".json", ".txt", ".model")  # configurations, vocabularies
_BESIDE_A_FILE = ("config.json", "adapter_config.json")


@dataclass(frozen=True)
class OfferedFile:
    """A file of a source.

    Attributes:
        path: where it lies on the run's machine.
        inside: where it lies in a copy of the source.
        size: in bytes.
    """

    path: str
    inside: str
    size: int


class Offer(Protocol):
    """Whoever hands out files."""

    def pieces(self, file: OfferedFile) -> Iterator[bytes]:
        """Yield what is in a file, from its beginning to its end.

        Raises:
            OSError: it cannot be read, or cannot be had.
        """


def offered_files(source: Source) -> tuple[OfferedFile, ...]:
    """List what a copy of a source is made of: the weights that are used, and the documents that lie with them.

    In a copy the operands of the source's URI have a folder each, called by their number.
    """
    from pipelines.checkpoints.source_uri import operand_places

    weights = list(dict.fromkeys(file.path for part in source.components.values() for file in part.files))
    found = {}
    for number, place in enumerate(operand_places(source.uri)):
        for path, inside in _needed(place, weights):
            found[f"{number}/{inside}"] = path
    return tuple(OfferedFile(str(path), inside, path.stat().st_size) for inside, path in found.items())


def _needed(place: Path, weights: Collection[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield what is needed of a folder, or of a file with what is looked for beside it, and where it lies in a copy."""
    if place.is_dir():
        inside = [path for path in weights if path.is_relative_to(place)]
        yield from ((path, path.relative_to(place.parent)) for path in [*inside, *_documents(place)])
        return
    about = place.with_suffix(".about") / "config"
    whole = _documents(place.parent) if (place.parent / "model_index.json").is_file() else []
    beside = [path for name in _BESIDE_A_FILE if (path := place.parent / name).is_file()]
    yield from ((path, path.relative_to(place.parent)) for path in [place, *beside, *_documents(about), *whole])


def _documents(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in _DOCUMENTS and path.is_file())


class SourceServer:
    """Reads pieces of files on the run's machine, and of no others: an actor beside the run's process."""

    def __init__(self, files: Collection[str], piece: int = PIECE_BYTES) -> None:
        self._files, self._piece = frozenset(files), piece

    def read(self, path: str, offset: int) -> bytes:
        """Return the bytes of an offered file from `offset` on, a piece at most.

        Raises:
            OSError: it cannot be read, or is none of them.
        """
        if path not in self._files:
            raise PermissionError(path)
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(self._piece)


class RayOffer:
    """An `Offer` through a cluster's object store; travels to where it is used.

    Args:
        server: the actor that reads, as Ray has it.
        piece: bytes that it reads at once.
    """

    def __init__(self, server: Any, piece: int = PIECE_BYTES) -> None:
        self._server, self._piece = server, piece

    def pieces(self, file: OfferedFile) -> Iterator[bytes]:
        """Yield the pieces of a file, of which a few travel at once; see `Offer`."""
        import ray  # an extra: who has no cluster has no Ray

        coming: deque[Any] = deque()
        for offset in range(0, file.size, self._piece):
            coming.append(self._server.read.remote(file.path, offset))
            if len(coming) == _ON_THE_WAY:
                yield self._had(ray, coming.popleft(), file)
        while coming:
            yield self._had(ray, coming.popleft(), file)

    def _had(self, ray: Any, piece: Any, file: OfferedFile) -> bytes:
        try:
            content: bytes = ray.get(piece)
        except ray.exceptions.RayError as error:
            raise OSError(f"{file.path}: {type(error).__name__}") from error
        return content
