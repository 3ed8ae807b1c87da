"""How far two pictures are apart as a person sees them, so that nobody is asked which of two twins is better.

Individuals of one archive are often near relatives, and pictures of one caption begin with the same noise. Where a
search has settled, most pairs cannot be told apart.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from pipelines.storage.pictures import read_picture

SEEN_SIDE = 128  # pixels a side, about; what is finer than that decides no comparison at a glance
ALIKE = 5.0  # levels of 255; below it pictures of the embedded family were hard to tell apart, side by side
APART = 255.0  # of pictures that cannot be laid over each other


def picture_difference(first: Path, second: Path) -> float:
    """Measure how far two pictures are apart: the mean absolute difference of their pixels, in levels of 255.

    Both are made smaller first. Pictures of different sizes are as far apart as can be. What was measured is
    remembered, as long as neither file is written again.

    Raises:
        PictureError: one cannot be read.
    """
    return _difference(*((file, _written(file)) for file in (first, second)))


@functools.lru_cache(maxsize=1 << 16)
def _difference(first: tuple[Path, int], second: tuple[Path, int]) -> float:
    one, other = (_seen(*file) for file in (first, second))
    return float(np.abs(one - other).mean()) if one.shape == other.shape else APART


@functools.lru_cache(maxsize=1 << 10)
def _seen(file: Path, written: int) -> np.ndarray:
    """The pixels of a picture at about `SEEN_SIDE`, int16 [height, width, 3], of a file as it was at a time."""
    picture = read_picture(file)
    return np.asarray(picture.reduce(max(1, max(picture.size) // SEEN_SIDE)), dtype=np.int16)


def _written(file: Path) -> int:
    """When a file was written, in ns; 0 where it is gone, which reading it says better."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
