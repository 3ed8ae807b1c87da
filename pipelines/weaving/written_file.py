"""What a safetensors file is known by once it is written: its hashes, and how they and it come to the disk.

The hash of all bytes follows from the header, and where the header states the hash of the tensor bytes, it is known
only at the end: then the file is read once more, while the disk takes it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines.storage.past_cache import AlignedAppender, set_past_cache

PAST_CACHE_FROM = 1 << 28  # bytes of a file; less fits into memory beside all else
FLUSH_SECONDS = 1.0  # between two calls that bring what is written to the disk
HASH_PLACEHOLDER = "0x" + 64 * "0"  # in a header, as long as the hash that takes its place


@dataclass(frozen=True)
class WrittenFile:
    """What a file that was written is known by, each a SHA-256 in hex.

    Attributes:
        sha256: of all its bytes.
        data_sha256: of its tensor bytes as they lie in it, without the header.
    """

    sha256: str
    data_sha256: str


@contextlib.contextmanager
def brought_to_disk(descriptor: int, size: int) -> Iterator[AlignedAppender | None]:
    """Bring a file to the disk while it is written; when the block ends, all that was written in it is there.

    Args:
        descriptor: of the open, empty file.
        size: how many bytes it will have.

    Yields:
        What takes them in their order, until it is told to `finish`; `None` where they are written at their places.

    Raises:
        OSError: the disk did not take it.
    """
    if size < PAST_CACHE_FROM or not set_past_cache(descriptor, True):
        with flushed(descriptor):
            yield None
        return
    with AlignedAppender(descriptor) as appender:
        yield appender
    os.fsync(descriptor)


@contextlib.contextmanager
def flushed(descriptor: int) -> Iterator[None]:
    """Bring a file to the disk while it is written, so that little of it is left to wait for at the end.

    A system by itself begins late, with gigabytes in memory, and whoever then asks for the file waits for all of them.

    Args:
        descriptor: of the open file; when the block ends, all that was written in it is on the disk.

    Raises:
        OSError: the disk did not take it.
    """
    ended = threading.Event()

    def flush() -> None:
        while not ended.wait(FLUSH_SECONDS):
            os.fsync(descriptor)

    with ThreadPoolExecutor(1) as beside:
        flushing = beside.submit(flush)
        try:
            yield
        finally:
            ended.set()
        flushing.result()
        os.fsync(descriptor)


def put_hash(path: Path, key: str, digest: str) -> None:
    """Put the hash of the tensor bytes into the header of a finished file, where a placeholder keeps room for it.

    Args:
        path: the file.
        key: of the header's metadata, whose value is `HASH_PLACEHOLDER`.
        digest: hex SHA-256.
    """
    stated = f'"{key}":"'
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        file.seek(8 + file.read(length).index((stated + HASH_PLACEHOLDER).encode()) + len(stated))
        file.write(f"0x{digest}".encode())
