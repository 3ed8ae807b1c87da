"""A font with Japanese, for what is drawn here and not in a browser: contact sheets and the figures of a report."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import NamedTuple

# As matplotlib calls the fonts that systems bring; a part of the name does, for foundries add weights and regions.
JAPANESE_FONTS = (
    "CJK JP",
    "Noto Sans JP",
    "Hiragino",
    "Yu Gothic",
    "Meiryo",
    "BIZ UDGothic",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
    "MS Gothic",
)


class Font(NamedTuple):
    """A font of this machine: what matplotlib calls it, and its file."""

    name: str
    file: Path


@functools.cache
def japanese_font() -> Font | None:
    """The first font of `NAMES` that this machine has; `None` where it has none."""
    from matplotlib.font_manager import findSystemFonts, fontManager  # here, not above: it takes a second

    found = _listed()
    if not found:  # matplotlib keeps its list from its first use on, and a font may have been installed since
        listed = {font.fname for font in fontManager.ttflist}
        for path in sorted(set(findSystemFonts()) - listed):
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # a font it cannot read
                fontManager.addfont(path)
        found = _listed()
    return found


def _listed() -> Font | None:
    """The first of `NAMES` among the fonts that matplotlib knows."""
    from matplotlib.font_manager import fontManager

    for name in JAPANESE_FONTS:
        found = [font for font in fontManager.ttflist if name in font.name and "Serif" not in font.name]
        if found:
            regular = min(found, key=lambda font: abs(int(font.weight) - 400) if str(font.weight).isdigit() else 0)
            return Font(regular.name, Path(regular.fname))
    return None
