"""The runs of the search benchmark as curves, and as pictures of the winners."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .table import METHODS
from .task import Bench, restored

SHOWN = 8  # held-out prompts in the picture
FONT = "CJK JP"  # in the name of a font that has the captions
SIDE, MARGIN, HEAD = 64, 190, 34  # pixels: a picture, the names on the left, the captions on top
COLUMNS = 3  # panels of curves beside each other
BITS = 6  # a colour channel: steps too small to see, and the file is half as large

Run = dict[str, Any]
Runs = dict[str, dict[int, Run]]  # by method and seed


def curves(found: Runs, later: Mapping[str, Runs]) -> bytes:
    """Best mean fitness against pictures, with the least and the largest over seeds, M2N2 in every panel; PNG.

    Args:
        found: the first seeds; a panel each for searches, ablations and extensions.
        later: other seeds, by which they are; a panel each for their searches.
    """
    panels = [(group, group, found) for group in ("searches", "ablations", "extensions")]
    panels += [(title, "searches", runs) for title, runs in later.items()]
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(16, 5.5 * rows), layout="constrained")
    lowest = None
    if "average" in found:  # what lies below is the same for all: the sources, then a first child or two
        lowest = next(iter(found["average"].values()))["curve"][-1] - 0.01
    places = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False).flat
    for (title, group, runs_of), panel in zip(panels, places, strict=False):
        mine = [method for method in runs_of if METHODS[method].group == group and not METHODS[method].apart]
        shown = list(dict.fromkeys(["m2n2", *mine])) if "m2n2" in runs_of else mine
        for number, method in enumerate(shown):
            runs = list(runs_of[method].values())
            best = np.array([run["curve"] for run in runs])  # [seeds, evaluations]
            mean = best.mean(axis=0)
            drawn = runs[0]["cost"] * runs[0]["niches"] * np.arange(1, len(mean) + 1)
            style = {"color": "black" if method == "m2n2" else f"C{number % 10}", "label": METHODS[method].title}
            panel.plot(drawn, mean, linewidth=1.2, linestyle="-" if number < 10 else "--", **style)
            panel.fill_between(drawn, *np.quantile(best, [0, 1], axis=0), color=style["color"], alpha=0.1, linewidth=0)
        if group == "searches":
            for number, (name, level) in enumerate(_levels(found, lowest).items()):
                panel.axhline(level, color=f"C{number}", linewidth=0.8, linestyle=":", label=name)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("pictures")
        panel.set_ylabel("best mean fitness")
        panel.grid(alpha=0.3)
        if shown:
            panel.legend(fontsize=7, loc="lower right")
    for panel in places:
        panel.set_visible(False)  # left over
    figure.axes[0].set_ylim(bottom=lowest)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return file.getvalue()


def _levels(found: Runs, lowest: float | None) -> dict[str, float]:
    """What merges have that take no search, by title, as far as the figure shows them."""
    levels = {
        METHODS[method].title: float(np.mean([run["curve"][-1] for run in runs.values()]))
        for method, runs in found.items()
        if METHODS[method].group == "merges"
    }
    return {title: level for title, level in levels.items() if lowest is None or level >= lowest}


def pictures(bench: Bench, found: Runs) -> bytes:
    """What each method ships at its first seed, a row each, on the same prompts and noise; PNG."""
    prompts = bench.held_out.subset(min(SHOWN, len(bench.held_out)))
    rows = {"reference": bench.references(prompts)}
    for method, runs in found.items():
        entry, run = METHODS[method], runs[min(runs)]
        config = entry.config(run["seed"], bench.pictures)
        with TemporaryDirectory() as place:
            sources = entry.begin(config, bench.sources, bench.niches, Path(place)).sources
            recipe = restored(run["winner"], sources, config)
            rows[entry.title] = [one.image for one in bench.draw(recipe, sources, prompts)]
    path = next((font.fname for font in fontManager.ttflist if FONT in font.name), None)
    font = ImageFont.truetype(path, 12) if path else ImageFont.load_default(12)
    captions = ["\n".join(textwrap.wrap(text, 5)) for text in prompts.captions_in("ja")] if path else prompts.ids
    sheet = Image.new("RGB", (MARGIN + SIDE * len(prompts), HEAD + SIDE * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, caption in enumerate(captions):
        pen.multiline_text((MARGIN + SIDE * column + 2, 1), caption, fill="black", font=font, spacing=1)
    for number, (title, images) in enumerate(rows.items()):
        top = HEAD + SIDE * number
        pen.text((4, top + SIDE // 2 - 8), title, fill="black", font=font)
        for column, image in enumerate(images):
            sheet.paste(image.resize((SIDE, SIDE)), (MARGIN + SIDE * column, top))
    file = io.BytesIO()
    ImageOps.posterize(sheet, BITS).save(file, format="png", optimize=True)
    return file.getvalue()
