"""The kernel that sums pieces of many tensors in one launch; imported only where Triton is.

A launch costs as much as the sum of a million elements, and a UNet has 1,680 tensors: so the pieces stand in a table,
and every program of the one launch looks up its own.
"""

from __future__ import annotations

import triton
import triton.language as tl

CHUNK_ELEMENTS = 1 << 16  # of a piece, summed by one program
BLOCK_ELEMENTS = 1 << 12  # summed at a time: two reads of 16 bytes a thread and source
WARPS = 8


@triton.jit
def sum_chunks(  # type: ignore[no-untyped-def]  # Triton reads annotations of its own alone
    pieces,
    weights,
    chunks,
    overflows,
    most,
    STORED: tl.constexpr,
    ROUNDED: tl.constexpr,
    WRITTEN: tl.constexpr,
    ALIGNED: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Sum the chunk that a program finds in the tables: a product and an addition at a time, rounded once at the end.

    Args:
        pieces: int64 [pieces, 3 + most]: elements, number of sources, address of the result, addresses of the sources.
        weights: float32 [pieces, most].
        chunks: int32 [programs, 2]: the piece, and which of its chunks.
        overflows: int32 [pieces], set to 1 where a value is not finite.
        most: the most sources that a piece has.
        STORED: the type of the sources.
        ROUNDED: the type that a sum is rounded to.
        WRITTEN: the type of the result.
        ALIGNED: whether sizes and addresses are multiples of 16.
        CHUNK: elements of a chunk.
        BLOCK: elements summed at a time.
    """
    program = tl.program_id(0)
    piece = tl.load(chunks + 2 * program)
    first = tl.load(chunks + 2 * program + 1) * CHUNK
    row = pieces + piece * (3 + most)
    size = tl.load(row).to(tl.int32)
    count = tl.load(row + 1).to(tl.int32)
    out = tl.load(row + 2).to(tl.pointer_type(WRITTEN))
    if ALIGNED:
        size = tl.multiple_of(size, 16)
        out = tl.multiple_of(out, 16)
    broken = tl.zeros([BLOCK], dtype=tl.int32)
    for begin in range(0, tl.minimum(CHUNK, size - first), BLOCK):
        places = first + begin + tl.arange(0, BLOCK)
        if ALIGNED:
            places = tl.max_contiguous(tl.multiple_of(places, BLOCK), BLOCK)
        inside = places < size
        source = tl.load(row + 3).to(tl.pointer_type(STORED))
        if ALIGNED:
            source = tl.multiple_of(source, 16)
        total = tl.load(source + places, mask=inside, other=0.0).to(tl.float32) * tl.load(weights + piece * most)
        for number in range(1, count):
            source = tl.load(row + 3 + number).to(tl.pointer_type(STORED))
            if ALIGNED:
                source = tl.multiple_of(source, 16)
            values = tl.load(source + places, mask=inside, other=0.0).to(tl.float32)
            total = total + values * tl.load(weights + piece * most + number)
        rounded = total.to(ROUNDED)
        tl.store(out + places, rounded.to(WRITTEN), mask=inside)
        wide = rounded.to(tl.float32)
        finite = (wide == wide) & (tl.abs(wide) != float("inf"))
        broken = broken | tl.where(inside & (finite == 0), 1, 0)
    tl.store(overflows + piece, 1, mask=tl.max(broken, axis=0) > 0)
