"""From numbers of all pieces to launches of the kernel: tables that stay on the device as long as they stay the same.

A piece is a run of elements of one tensor with one weight per source. Here it is a row of arrays, for a UNet has 1,680
tensors, and a loop over them in Python takes several times as long as the card takes to sum them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

DTYPES = (torch.float32, torch.float16, torch.bfloat16)  # that the kernel knows, by their number in `Pieces`
ITEM_SIZES = np.array([dtype.itemsize for dtype in DTYPES])
_NAMES = ("float32", "float16", "bfloat16")
_TABLE_DTYPES = {"int64": torch.int64, "int32": torch.int32, "float32": torch.float32}
_ALIGNMENT = 16  # elements, and bytes of an address, that are read at once
_TABLE_ALIGNMENT = 64  # bytes: Triton compiles another kernel for addresses that are no multiples of 16


class Pieces(NamedTuple):
    """Sums to compute, a row for each.

    Attributes:
        sizes: int64 [pieces], elements.
        results: int64 [pieces], addresses on the device.
        sources: int64 [pieces, sources], addresses; those that count come first.
        weights: float32 [pieces, sources].
        counts: int64 [pieces], how many of the sources count, at least one.
        stored: int64 [pieces], number of the sources' dtype in `DTYPES`.
        rounded: int64 [pieces], of the dtype that a sum is rounded to.
        written: int64 [pieces], of the dtype of the result.
    """

    sizes: np.ndarray
    results: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    stored: np.ndarray
    rounded: np.ndarray
    written: np.ndarray

    def rows(self, which: np.ndarray) -> Pieces:
        """Return some of them: `which` is boolean [pieces], or int64 with their numbers."""
        return Pieces(*(column[which] for column in self))


class _Launch(NamedTuple):
    """Pieces that share a launch; `owners` are their numbers among all."""

    pieces: Pieces
    owners: np.ndarray
    aligned: bool


class SumLauncher:
    """Launches the kernel on one device, and keeps there what the next launches have in common with the last."""

    def __init__(self, device: torch.device) -> None:
        """Keep nothing yet.

        Args:
            device: where all addresses lie.
        """
        self._device = device
        self._tables: list[np.ndarray] = []  # that lie on the device: a table of pieces and one of chunks per launch
        self._on_device: list[torch.Tensor] = []

    def run(self, pieces: Pieces) -> np.ndarray:
        """Compute sums; the device is waited for once.

        Returns:
            Boolean [pieces]: whether a value of it is not finite.
        """
        launches = list(_launches(pieces))
        tables = [_piece_table(launch.pieces) for launch in launches]
        kept = self._tables[::2]
        if len(kept) != len(tables) or not all(map(np.array_equal, kept, tables)):
            self._tables = [table for one in tables for table in (one, _chunk_table(one[:, 0]))]
            self._on_device = _upload(self._tables, self._device)
        weights = _upload([one.pieces.weights for one in launches], self._device)
        starts = np.cumsum([0, *(-(-len(one.owners) // _ALIGNMENT) * _ALIGNMENT for one in launches)])
        flags = torch.zeros(int(starts[-1]), dtype=torch.int32, device=self._device)
        for number, launch in enumerate(launches):
            table, chunks = self._on_device[2 * number : 2 * number + 2]
            self._launch(launch, table, chunks, weights[number], flags[starts[number] :])
        broken, found = np.zeros(len(pieces.sizes), dtype=bool), flags.cpu().numpy()
        for start, launch in zip(starts, launches, strict=False):
            broken[launch.owners[found[start : start + len(launch.owners)] != 0]] = True
        return broken

    def _launch(
        self, launch: _Launch, table: torch.Tensor, chunks: torch.Tensor, weights: torch.Tensor, flags: torch.Tensor
    ) -> None:
        """Start the kernel on pieces of one kind."""
        from . import sum_kernel  # here, not above: not every machine has Triton

        types: dict[str, Any] = {
            key.upper(): getattr(sum_kernel.tl, _NAMES[getattr(launch.pieces, key)[0]])
            for key in ("stored", "rounded", "written")
        }
        with torch.cuda.device(self._device if self._device.type == "cuda" else -1):
            sum_kernel.sum_chunks[(len(chunks),)](
                table,
                weights,
                chunks,
                flags,
                launch.pieces.weights.shape[1],
                **types,
                ALIGNED=launch.aligned,
                CHUNK=sum_kernel.CHUNK_ELEMENTS,
                BLOCK=sum_kernel.BLOCK_ELEMENTS,
                num_warps=sum_kernel.WARPS,
                enable_fp_fusion=False,  # a product and an addition are two roundings, on every machine
            )


def _launches(pieces: Pieces) -> Iterator[_Launch]:
    """Yield what shares a launch: pieces of the same dtypes, and what of them is read 16 at a time apart from the rest.

    The columns of the sources are as many as the most of them has.
    """
    used = np.arange(pieces.sources.shape[1]) < pieces.counts[:, None]
    even = (pieces.results % _ALIGNMENT == 0) & ~((pieces.sources % _ALIGNMENT != 0) & used).any(axis=1)
    whole = np.where(even, pieces.sizes // _ALIGNMENT * _ALIGNMENT, 0)
    kinds = (pieces.stored * len(DTYPES) + pieces.rounded) * len(DTYPES) + pieces.written
    for kind in np.unique(kinds):
        for aligned in (True, False):
            sizes = whole if aligned else pieces.sizes - whole
            owners = np.flatnonzero((kinds == kind) & (sizes > 0))
            if not len(owners):
                continue
            rows, skipped = pieces.rows(owners), 0 if aligned else whole[owners]
            most = int(rows.counts.max())
            stored, written = ITEM_SIZES[rows.stored[0]], ITEM_SIZES[rows.written[0]]
            sources = rows.sources[:, :most] + np.reshape(skipped * stored, (-1, 1))
            rows = rows._replace(
                sizes=sizes[owners],
                results=rows.results + skipped * written,
                sources=np.where(used[owners, :most], sources, 0),
                weights=rows.weights[:, :most],
            )
            yield _Launch(rows, owners, aligned)


def _piece_table(pieces: Pieces) -> np.ndarray:
    """Return what the kernel looks up of each piece, but its weights: int64 [pieces, 3 + sources]."""
    return np.column_stack([pieces.sizes, pieces.counts, pieces.results, pieces.sources])


def _chunk_table(sizes: np.ndarray) -> np.ndarray:
    """Return the piece of each program of the kernel, and which chunk of it: int32 [programs, 2]."""
    from . import sum_kernel

    counts = -(-sizes // sum_kernel.CHUNK_ELEMENTS)
    owners = np.repeat(np.arange(len(sizes)), counts)
    firsts = np.cumsum(counts) - counts
    return np.column_stack([owners, np.arange(len(owners)) - firsts[owners]]).astype(np.int32)


def _upload(tables: Sequence[np.ndarray], device: torch.device) -> list[torch.Tensor]:
    """Bring tables to a device in one copy."""
    stops = np.cumsum([-(-table.nbytes // _TABLE_ALIGNMENT) * _TABLE_ALIGNMENT for table in tables])
    packed = np.zeros(int(stops[-1]) if len(stops) else 0, dtype=np.uint8)
    starts = [0, *stops[:-1].tolist()]
    for start, table in zip(starts, tables, strict=True):
        packed[start : start + table.nbytes] = np.ascontiguousarray(table).reshape(-1).view(np.uint8)
    on_device = torch.from_numpy(packed).to(device)
    return [
        on_device[start : start + table.nbytes].view(_TABLE_DTYPES[table.dtype.name]).view(table.shape)
        for start, table in zip(starts, tables, strict=True)
    ]
