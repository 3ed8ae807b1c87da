"""Curves of the archive as SVG: text stays text in the reader's font, and black takes the colour of the page around."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studio.analysis.replay import ArchiveMoment
from studio.i18n import Lang, t

from .fonts import japanese_font

# Okabe and Ito's palette: apart for colour-blind readers, and on light and dark ground.
COLOURS = {"ja": "#d55e00", "en": "#0072b2"}
INK = "#010203"  # nobody else's colour: becomes that of the page
SIZE = (8.0, 2.7)  # inches, of a row of two panels


def archive_curves(lang: Lang, moments: Sequence[ArchiveMoment]) -> Markup:
    """Plot best and mean score per language over offspring; below, coverage and entropy of the archive."""
    made = [moment.made for moment in moments]

    def scores(panel: Axes) -> None:
        for language, colour in COLOURS.items():
            for kind, line in (("best", "-"), ("mean", ":")):
                points = [(moment.made, getattr(moment, kind).get(language)) for moment in moments]
                measured = [(x, y) for x, y in points if y is not None]
                label = f"{t(lang, f'kind_{language}')} · {t(lang, f'curve_{kind}')}"
                panel.plot(*zip(*measured, strict=True), line, color=colour, label=label)
        panel.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))

    def covered(panel: Axes) -> None:
        panel.plot(made, [moment.coverage for moment in moments], color="#009e73")

    def disagreed(panel: Axes) -> None:
        panel.plot(made, [1000 * moment.entropy for moment in moments], color="#cc79a7")
        panel.set_ylim(bottom=0)

    first = _figure(lang, [(t(lang, "curve_scores"), scores)])
    second = _figure(lang, [(t(lang, "curve_coverage"), covered), (t(lang, "curve_entropy"), disagreed)])
    return first + second


def _figure(lang: Lang, panels: Sequence[tuple[str, Callable[[Axes], None]]]) -> Markup:
    """Draw a row of panels as an SVG element, named by the panels' titles for those who do not see it."""
    font = japanese_font()
    family = [*([font.name] if font else []), "DejaVu Sans"]
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "m2n2",  # equal figures are equal bytes
        "font.family": family,
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.2,
        "grid.color": INK,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=SIZE, layout="constrained")
        for number, (title, draw) in enumerate(panels, start=1):
            panel = figure.add_subplot(1, len(panels), number)
            draw(panel)
            panel.set_title(title, fontsize=9, loc="left")
            panel.set_xlabel(t(lang, "offspring"))
            panel.margins(x=0.01)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), "; ".join(title for title, _ in panels))


def _inline(svg: str, label: str) -> Markup:
    """Turn an SVG file into an element of a page: no header, no fixed size, the page's ink and fonts."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', element, count=1, flags=re.DOTALL)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r"font(-family)?: ([^;\"]*)'[^;\"]*", lambda match: _without_family(match[0]), element)
    element = element.replace(INK, "currentColor").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    return Markup('<figure class="curves" role="img" aria-label="{}">{}</figure>').format(label, Markup(element))


def _without_family(style: str) -> str:
    """`font: 9px 'Noto Sans CJK JP', ...` with the family of the page instead."""
    if style.startswith("font-family"):
        return "font-family: inherit"
    size = re.search(r"[\d.]+px", style)
    return f"font-size: {size[0] if size else '9px'}"
