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
    """Find the first font of `JAPANESE_FONTS` that this machine has; `None` where it has none."""
    from matplotlib.font_manager import findSystemFonts, fontManager  # here, not above: it takes a second

    font = _listed()
    if not font:  # matplotlib keeps its list from its first use on, and a font may have been installed since
        listed = {font.fname for font in fontManager.ttflist}
        for path in sorted(set(findSystemFonts()) - listed):
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # a font it cannot read
                fontManager.addfont(path)
        font = _listed()
    return font


def _listed() -> Font | None:
    """Find the first of `JAPANESE_FONTS` among the fonts that matplotlib knows."""
    from matplotlib.font_manager import fontManager

    for name in JAPANESE_FONTS:
        fonts = [font for font in fontManager.ttflist if name in font.name and "Serif" not in font.name]
        if fonts:
            regular = min(fonts, key=lambda font: abs(int(font.weight) - 400) if str(font.weight).isdigit() else 0)
            return Font(regular.name, Path(regular.fname))
    return None
