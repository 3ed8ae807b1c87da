"""Memory of a server that runs for weeks: what it takes at the busiest moment it should not keep for good."""

from __future__ import annotations

import contextlib
import ctypes
import gc

_ARENA_MAX = -8  # of malloc.h
_ARENAS = 2
_OBJECTS_BETWEEN_COLLECTIONS = 1_000


def keep_memory_steady() -> None:
    """Bound what answers leave behind; call it once all pages are built, before the server's threads begin.

    Answers are made on some forty threads. The C library of Linux gives each a heap of its own and keeps what each once
    needed; two heaps for all keep less. And what stays to the end is looked through no more: a collector that counts it
    lets garbage grow to a quarter of it.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)  # the command line, which began it, collects rarely
    gc.collect()
    gc.freeze()
