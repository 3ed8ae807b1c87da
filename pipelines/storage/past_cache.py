"""Files of gigabytes written and read past the system's page cache, where system and disk allow it.

Through the cache every page of a file takes memory first, and takes it from what lies there: the sources of a merge,
which are read next. Past it the disk takes the memory of the program as it lies, aligned and in whole blocks.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PIECE = 1 << 22  # bytes that the disk is given at a time
ALIGNMENT = 4096  # bytes: what positions, lengths and memory are multiples of
_PAST_CACHE = getattr(os, "O_DIRECT", 0)


def set_past_cache(descriptor: int, on: bool) -> bool:
    """Have an open file read and written past the page cache, or through it again; return whether that holds now."""
    if not (fcntl and _PAST_CACHE):
        return not on
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _PAST_CACHE if on else flags & ~_PAST_CACHE)
    except OSError:  # this kind of disk has no such way
        return False
    return True


def aligned_memory() -> memoryview:
    """Return `PIECE` bytes that a disk can be given as they lie."""
    return memoryview(mmap.mmap(-1, PIECE))


class AlignedAppender:
    """Appends to an open, empty file past the page cache; a piece is filled while the one before goes to the disk.

    Where the disk refuses that after all, what is left goes through the cache. The bytes are the same.
    """

    def __init__(self, descriptor: int) -> None:
        """Take a file that `set_past_cache` was asked for."""
        self._descriptor = descriptor
        self._filling, self._other = aligned_memory(), aligned_memory()
        self._filled = self._position = 0
        self._beside = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def append(self, block: memoryview) -> None:
        """Append bytes, which may be changed afterwards.

        Raises:
            OSError: the disk is full or did not take an earlier piece.
        """
        while block:
            count = min(len(block), PIECE - self._filled)
            self._filling[self._filled : self._filled + count] = block[:count]
            self._filled, block = self._filled + count, block[count:]
            if self._filled == PIECE:
                self._hand_over(PIECE)

    def finish(self) -> None:
        """Write what is left; from then on the file is read and written through the cache.

        Raises:
            OSError: as `append`.
        """
        size = self._position + self._filled
        padded = -(-self._filled // ALIGNMENT) * ALIGNMENT
        self._filling[self._filled : padded] = bytes(padded - self._filled)
        self._hand_over(padded)
        self._wait()
        os.ftruncate(self._descriptor, size)
        set_past_cache(self._descriptor, False)

    def _hand_over(self, count: int) -> None:
        self._wait()
        self._writing = self._beside.submit(self._write, self._filling[:count], self._position)
        self._position += count
        self._filling, self._other, self._filled = self._other, self._filling, 0

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, rest: memoryview, position: int) -> None:
        while rest:  # a write may take less than it is given
            try:
                written = os.pwrite(self._descriptor, rest, position)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._is_past_cache():
                    raise
                written = 0  # the disk takes it another way only
            if written % ALIGNMENT or not written:
                set_past_cache(self._descriptor, False)
            position, rest = position + written, rest[written:]

    def _is_past_cache(self) -> bool:
        return bool(fcntl and fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & _PAST_CACHE)

    def __enter__(self) -> AlignedAppender:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Wait for what is on its way."""
        with contextlib.suppress(OSError):  # another error is on its way, or `finish` has raised this one
            self._wait()
        self._beside.shutdown()
