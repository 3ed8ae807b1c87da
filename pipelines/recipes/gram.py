"""Inner products of the sources over any stretch of a chromosome.

The angle between two descendants needs only these K x K matrices, never the descendants themselves. A chromosome is
read once, in blocks, and the blocks' matrices are cached on disk under the sources' hashes; a stretch that begins or
ends inside a block reads that part of that block alone.
"""

from __future__ import annotations

import functools
import hashlib
import io
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from pipelines.architectures.keys import Layout
from pipelines.checkpoints.sources import Source
from pipelines.storage.files import cache_dir, write_whole
from pipelines.storage.parallel import in_parallel

BLOCK_ELEMENTS = 1 << 20  # elements; at most this much is read again for a split point
CHUNK_ELEMENTS = 1 << 17  # elements summed at a time: a few sources' fit a core's cache in float64


class Gram:
    """The inner products of K vectors over any stretch of their elements, in float64."""

    def __init__(self, stops: np.ndarray, blocks: np.ndarray, inside: Callable[[int, int], np.ndarray]) -> None:
        """Take what `compute_block_products` has computed.

        Args:
            stops: int64 [blocks], the exclusive end of each block.
            blocks: float64 [blocks, K, K], the inner products within each block.
            inside: computes float64 [K, K] of a stretch inside one block.
        """
        self._stops = stops
        self._blocks = blocks
        self._inside = functools.cache(inside)

    @property
    def size(self) -> int:
        """The number of elements in each vector."""
        return int(self._stops[-1])

    def between(self, start: int, stop: int) -> np.ndarray:
        """Return the inner products over elements `start` to `stop`: float64 [K, K]."""
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

    def widened(self, places: Sequence[int], count: int) -> Gram:
        """Return these inner products among more vectors, of which all others are zero: the same to the last digit.

        Args:
            places: where each of the K vectors stands among the others.
            count: how many vectors there are then.
        """
        if list(places) == list(range(count)):
            return self
        rows, columns = np.ix_(places, places)

        def wide(products: np.ndarray) -> np.ndarray:
            found = np.zeros((*products.shape[:-2], count, count))
            found[..., rows, columns] = products
            return found

        return Gram(self._stops, wide(self._blocks), lambda start, stop: wide(self._inside(start, stop)))


def compute_block_products(
    stops: Sequence[int], read: Callable[[int, int], np.ndarray], progress: Callable[[float], None] | None = None
) -> np.ndarray:
    """Compute the inner products of every block.

    Args:
        stops: the exclusive end of each block, rising.
        read: gives float64 [K, stop - start]; called from several threads.
        progress: told the share that is done, 0..1.

    Returns:
        float64 [blocks, K, K].
    """
    starts = [0, *stops[:-1]]
    blocks: dict[int, np.ndarray] = {}

    def compute(number: int) -> int:
        blocks[number] = _products(read, starts[number], stops[number])
        return number

    for _ in in_parallel(compute, range(len(stops))):
        if progress:
            progress(len(blocks) / len(stops))
    return np.stack([blocks[number] for number in range(len(stops))])


def compute_gram(sources: Sequence[Source], layout: Layout, *, progress: Callable[[float], None] | None = None) -> Gram:
    """Compute the Gram matrices of a chromosome of these sources, or take them from the cache.

    Args:
        sources: K sources that were found mergeable.
        layout: the chromosome.
        progress: told the share that is done, 0..1.

    Raises:
        SourceError: a source holds NaN or infinity.
    """
    parts = [source.components[layout.component] for source in sources]

    scratch = threading.local()

    def read(start: int, stop: int) -> np.ndarray:
        if not hasattr(scratch, "exact"):
            scratch.single = torch.empty(CHUNK_ELEMENTS)
            scratch.exact = torch.empty(len(parts), CHUNK_ELEMENTS, dtype=torch.float64)
            scratch.stored = torch.empty(8 * CHUNK_ELEMENTS, dtype=torch.uint8)
        for part, row in zip(parts, scratch.exact, strict=True):
            single = scratch.single[: stop - start]
            part.fill_flat(layout, start, single, scratch=scratch.stored)
            row[: stop - start].copy_(single)
        values: np.ndarray = scratch.exact[:, : stop - start].numpy()  # [K, n]
        return values

    stops = np.array([*range(BLOCK_ELEMENTS, layout.size, BLOCK_ELEMENTS), layout.size], dtype=np.int64)
    entry = gram_file(sources, layout)
    if entry.exists():
        blocks = np.load(entry)
    else:
        blocks = compute_block_products(stops.tolist(), read, progress)
        buffer = io.BytesIO()
        np.save(buffer, blocks)
        write_whole(entry, buffer.getvalue())
    return Gram(stops, blocks, partial(_products, read))


def gram_file(sources: Sequence[Source], layout: Layout) -> Path:
    """Return where the cache has the Gram matrices of a chromosome, once they were computed on this machine."""
    hashes = [source.components[layout.component].sha256 for source in sources]
    identity = "".join([*hashes, layout.digest, str(BLOCK_ELEMENTS), str(CHUNK_ELEMENTS)])
    return cache_dir() / "gram" / f"{hashlib.sha256(identity.encode()).hexdigest()}.npy"


def _products(read: Callable[[int, int], np.ndarray], start: int, stop: int) -> np.ndarray:
    """Return the inner products over elements `start` to `stop`: float64 [K, K]."""
    total = np.zeros(())
    for begin in range(start, stop, CHUNK_ELEMENTS):
        vectors = torch.from_numpy(read(begin, min(begin + CHUNK_ELEMENTS, stop)))
        total = total + (vectors @ vectors.T).numpy()  # torch's product: numpy's takes three times as long here
    return np.asarray(total)
