"""The plots of a run, each with its legend below, and their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gradio as gr
import numpy as np
import pandas as pd
from markupsafe import Markup

from studio.analysis.replay import ArchiveMoment
from studio.i18n import Lang, t

SPREAD = {"coverage": "#009e73", "entropy": "#cc79a7"}
LINES: dict[str, str] = {"best_ja": "#d55e00", "mean_ja": "#f0b48a", "best_en": "#5f7f9f", "mean_en": "#a9bccd"}
POINTS = 120  # of a line in a plot


def line_plot(lang: Lang, y: str, title: str, lines: Mapping[str, str]) -> gr.LinePlot:
    """Draw a plot of lines over offspring, with its legend below: its own is cut off at this height."""
    plot = gr.LinePlot(
        x="made",
        y=y,
        color="line",
        x_title=t(lang, "offspring"),
        y_title=t(lang, title),
        color_title=" ",
        colors_in_legend=[],
        show_label=False,
        height=300,
        color_map={t(lang, line): colour for line, colour in lines.items()},
        buttons=["fullscreen"],
    )
    gr.HTML(line_legend(lang, lines))
    return plot


def climb(lang: Lang, moments: Sequence[ArchiveMoment]) -> pd.DataFrame:
    """Best and mean score alive in either language after each offspring: rows of a line plot."""
    rows = [
        (moment.made, values[language], t(lang, f"{what}_{language}"))
        for moment in moments
        for what, values in (("best", moment.best), ("mean", moment.mean))
        for language in values
    ]
    return pd.DataFrame(rows, columns=["made", "score", "line"])


def spread(lang: Lang, moments: Sequence[ArchiveMoment]) -> pd.DataFrame:
    """Coverage and entropy of the archive after each offspring: rows of a line plot."""
    rows = [
        (moment.made, value, t(lang, what))
        for moment in moments
        for what, value in (("coverage", moment.coverage), ("entropy", moment.entropy))
    ]
    return pd.DataFrame(rows, columns=["made", "value", "line"])


def line_legend(lang: Lang, lines: Mapping[str, str]) -> Markup:
    """Which line of a plot is which, by colour."""
    entries = Markup("").join(
        Markup('<span><i style="background:{}"></i>{}</span>').format(colour, t(lang, line))
        for line, colour in lines.items()
    )
    return Markup('<div class="legend">{}</div>').format(entries)


def span(plot: pd.DataFrame) -> list[float | None]:
    """The vertical axis of the plot: all there is with a margin, for scores differ little and never start at zero."""
    if plot.empty:
        return [None, None]
    low, high = float(plot["score"].min()), float(plot["score"].max())
    margin = 0.1 * (high - low) or 0.01
    return [low - margin, high + margin]


def thinned(moments: Sequence[ArchiveMoment]) -> list[ArchiveMoment]:
    """At most POINTS of them, evenly, with the first and the last: a plot is no wider, and each point costs it time."""
    places = np.linspace(0, len(moments) - 1, min(len(moments), POINTS)).round().astype(int)
    return [moments[place] for place in places]
