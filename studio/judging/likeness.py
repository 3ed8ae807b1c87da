"""How far two pictures are apart as a person sees them, so that nobody is asked which of two twins is better.

Individuals of one archive are often near relatives, and pictures of one caption begin with the same noise. Where a
search has settled, a quarter of all its pairs cannot be told apart.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

SEEN_SIDE = 256  # pixels a side at most; what is finer than that decides no comparison at a glance
ALIKE = 5.0  # levels of 255; below it pictures of the embedded family were hard to tell apart, side by side


def pixel_difference(first: Image.Image, second: Image.Image) -> float:
    """Measure how far the pixels of two pictures are apart: the mean absolute difference, in levels of 255.

    Both are RGB, and are made smaller first. Pictures of different sizes are as far apart as can be, 255.
    """
    if first.size != second.size:
        return 255.0
    factor = max(1, max(first.size) // SEEN_SIDE)
    small = [np.asarray(picture.reduce(factor), dtype=np.int16) for picture in (first, second)]
    return float(np.abs(small[0] - small[1]).mean())
