"""Inner products of the sources over any stretch of a chromosome.

The angle between two descendants needs only these K x K matrices, never the descendants themselves. A chromosome is
read once, in blocks, and the blocks' matrices are cached on disk under the sources' hashes; a stretch that begins or
ends inside a block reads that part of that block alone.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable, Sequence

import numpy as np

from .files import cache_dir, write_whole
from .keys import Layout, component_of
from .sources import Source

BLOCK = 1 << 20  # elements; 8 MB a source in float64, and at most this much is read again for a split point


class Gram:
    """Inner products of K vectors over stretches of their elements, in float64."""

    def __init__(self, stops: np.ndarray, blocks: np.ndarray, read: Callable[[int, int], np.ndarray]) -> None:
        """See `measure`.

        Args:
            stops: int64 [blocks], the exclusive end of each block.
            blocks: float64 [blocks, K, K], the inner products within each block.
            read: gives float64 [K, stop - start] for a stretch inside one block.
        """
        self._stops = stops
        self._blocks = blocks
        self._inside = functools.cache(lambda start, stop: _products(read(start, stop)))

    @property
    def size(self) -> int:
        """Elements in the vectors."""
        return int(self._stops[-1])

    def between(self, start: int, stop: int) -> np.ndarray:
        """Inner products over elements `start` to `stop`: float64 [K, K]."""
        first = int(np.searchsorted(self._stops, start, side="right"))
        last = int(np.searchsorted(self._stops, stop - 1, side="right"))
        head = 0 if first == 0 else int(self._stops[first - 1])
        if first == last and (start, stop) != (head, int(self._stops[first])):
            return np.array(self._inside(start, stop))
        total = np.zeros(self._blocks.shape[1:])
        if start != head:
            total += self._inside(start, int(self._stops[first]))
            first += 1
        if stop != int(self._stops[last]):
            total += self._inside(0 if last == 0 else int(self._stops[last - 1]), stop)
            last -= 1
        return total + self._blocks[first : last + 1].sum(axis=0)


def measure(
    stops: Sequence[int], read: Callable[[int, int], np.ndarray], progress: Callable[[float], None] | None = None
) -> np.ndarray:
    """The inner products of every block: float64 [blocks, K, K].

    Args:
        stops: the exclusive end of each block, rising.
        read: gives float64 [K, stop - start].
        progress: told the share that is done, 0..1.
    """
    blocks, start = [], 0
    for stop in stops:
        blocks.append(_products(read(start, stop)))
        start = stop
        if progress:
            progress(stop / stops[-1])
    return np.stack(blocks)


def gram(sources: Sequence[Source], layout: Layout, *, progress: Callable[[float], None] | None = None) -> Gram:
    """The Gram matrices of a chromosome of these sources, from the cache where they are known.

    Args:
        sources: K sources that were found mergeable.
        layout: the chromosome.
        progress: told the share that is done, 0..1.
    """
    component = component_of(layout.chromosome)
    parts = [source.components[component] for source in sources]

    def read(start: int, stop: int) -> np.ndarray:
        return np.stack([part.read_flat(layout, start, stop).double().numpy() for part in parts])  # [K, n]

    stops = np.array([*range(BLOCK, layout.size, BLOCK), layout.size], dtype=np.int64)
    identity = "".join([*(part.sha256 for part in parts), layout.digest, str(BLOCK)])
    entry = cache_dir() / "gram" / f"{hashlib.sha256(identity.encode()).hexdigest()}.npy"
    if entry.exists():
        blocks = np.load(entry)
    else:
        blocks = measure(stops.tolist(), read, progress)
        buffer = io.BytesIO()
        np.save(buffer, blocks)
        write_whole(entry, buffer.getvalue())
    return Gram(stops, blocks, read)


def _products(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors @ vectors.T)
