"""The plots of a run, each with its legend below."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr

from studio.i18n import Lang, t

from .progress import line_legend


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
