"""The runs of the search benchmark as a table, curves, and pictures of the winners."""

from __future__ import annotations

import io
import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps
from rich.console import Console
from rich.table import Table

from eval.metrics import Estimate
from pipelines.files import write_whole

from .search_rows import METHODS
from .search_task import Bench, restored

RESAMPLES = 10_000
KINDS = ("ja", "en", "consistency")
EARLY = 50  # evaluations after which one can see who is quick
COLUMNS = (
    "method",
    "seeds",
    "judge",
    f"judge after {EARLY}",
    "Japanese",
    "English",
    "consistency",
    "CMMD",
    "Japanese over M2N2's",
    "English over M2N2's",
    "verdict",
)
SHOWN = 8  # held-out prompts in the picture
FONT = "CJK JP"  # in the name of a font that has the captions
SIDE, MARGIN, HEAD = 64, 190, 34  # pixels: a picture, the names on the left, the captions on top
BITS = 6  # a colour channel: steps too small to see, and the file is half as large

EXPLAINED = """\
Each search has {evaluations} evaluations of {niches} pictures, those of the sources among them. Judge: mean
fitness, on Japanese captions, of what the search would ship, in the end and after {early} evaluations. All else: the
jury on the same, with {reported} held-out prompts. CMMD: of the Japanese pictures to the reference pictures, by the
jury's features; smaller is more alike; in brackets the least and the largest over seeds. Other brackets: 95 % intervals
of a bootstrap that draws seeds and prompts anew; differences are paired by both. A row wins if it is better in
Japanese, the interval apart from zero, and in English not worse on average; it loses if it is worse in Japanese, the
interval apart from zero. Among twenty rows as good as M2N2, chance alone lets about one win or lose.
"""

Run = dict[str, Any]
Runs = dict[str, dict[int, Run]]  # by method and seed


def load(folder: Path, evaluations: int) -> Runs:
    """All runs of so many evaluations, methods in the order of METHODS."""
    found: Runs = {}
    for method in METHODS:
        for path in sorted((folder / "search").glob(f"{method}-{evaluations}-*.json")):
            run = json.loads(path.read_text("utf-8"))
            found.setdefault(method, {})[run["seed"]] = run
    return found


def crossed_bootstrap(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """The mean over seeds and prompts with a 95 % interval from drawing both anew.

    Every resample draws seeds and, apart from them, prompts, both with replacement, and takes the mean over all pairs:
    the pigeonhole bootstrap (Owen, Annals of Applied Statistics 1, 2007), for tables whose rows and columns are both
    samples. It is rather too wide than too narrow; of a single seed it is the usual one over prompts.

    Args:
        values: [seeds, prompts].
        resamples: how many.
        seed: of the resampling.
    """
    values = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    by_seed, by_prompt = (rng.multinomial(n, [1 / n] * n, size=resamples) / n for n in values.shape)
    means = (by_seed @ values * by_prompt).sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(mean=float(values.mean()), low=float(low), high=float(high))


@dataclass(frozen=True)
class Summary:
    """A method's figures over its seeds.

    Attributes:
        judge: mean fitness of what it would ship, in Japanese, on the niches.
        early: the same after EARLY evaluations, where it has as many.
        scores: by the jury on the held-out prompts, by kind.
        cmmd: mean, least and largest over seeds.
        over: scores minus those of M2N2 with the same seeds, by kind; none for M2N2 itself or without its runs.
    """

    method: str
    seeds: int
    judge: float
    early: float | None
    scores: dict[str, Estimate]
    cmmd: tuple[float, float, float]
    over: dict[str, Estimate]

    @property
    def verdict(self) -> str:
        """Beside M2N2.

        `wins`: better in Japanese, the interval apart from zero, and not worse in English on average; `loses`: worse in
        Japanese, the interval apart from zero.
        """
        if not self.over:
            return ""
        ja, en = self.over["ja"], self.over["en"]
        if not ja.apart_from_zero:
            return "even"
        if ja.mean < 0:
            return "loses"
        return "wins" if en.mean >= 0 else "wins in Japanese alone"

    def row(self) -> list[str]:
        """Its row of the table."""
        mean, low, high = self.cmmd
        return [
            METHODS[self.method].title,
            str(self.seeds),
            f"{self.judge:.3f}",
            "" if self.early is None else f"{self.early:.3f}",
            *(_interval(self.scores[kind]) for kind in KINDS),
            f"{mean:.3f}" if self.seeds == 1 else f"{mean:.3f} ({low:.3f} to {high:.3f})",
            *(_interval(self.over[kind], "+") if self.over else "" for kind in ("ja", "en")),
            self.verdict,
        ]


def summarise(method: str, runs: dict[int, Run], reference: dict[int, Run]) -> Summary:
    """The figures of a method, and how far it is from the reference with the same seeds.

    A method whose seeds make no difference has one run, which stands for all seeds.
    """
    pairs = [(runs.get(seed) or runs[0], other) for seed, other in reference.items() if seed in runs or _once(method)]
    over = {}
    if method != "m2n2" and pairs:
        over = {kind: crossed_bootstrap([_minus(*pair, kind) for pair in pairs]) for kind in KINDS}
    distances = [run["cmmd"] for run in runs.values()]
    return Summary(
        method,
        len(runs),
        judge=float(np.mean([run["curve"][-1] for run in runs.values()])),
        early=_early(list(runs.values())),
        scores={kind: crossed_bootstrap([run["held_out"][kind] for run in runs.values()]) for kind in KINDS},
        cmmd=(float(np.mean(distances)), min(distances), max(distances)),
        over=over,
    )


def _early(runs: list[Run]) -> float | None:
    last = [EARLY // run["cost"] - 1 for run in runs]
    if any(len(run["curve"]) <= index for run, index in zip(runs, last, strict=True)):
        return None
    return float(np.mean([run["curve"][index] for run, index in zip(runs, last, strict=True)]))


def _once(method: str) -> bool:
    return METHODS[method].seeds == 1


def _minus(run: Run, other: Run, kind: str) -> NDArray[np.float64]:
    return np.subtract(run["held_out"][kind], other["held_out"][kind])


def report(bench: Bench, folder: Path, evaluations: int) -> None:
    """Print the table of all runs under `folder`/search; write it to `search.md`, with `search.png` and pictures."""
    found = load(folder, evaluations)
    rejection = found.pop("early-rejection", {})
    reference = found.get("m2n2", {})
    summaries = [summarise(method, runs, reference) for method, runs in found.items()]
    table = Table(*COLUMNS)
    for summary in summaries:
        table.add_row(*summary.row())
    Console(width=200).print(table)
    everyone = [run for runs in [*found.values(), rejection] for run in runs.values()]
    if not everyone:
        return
    write_whole(folder / "search.md", page(summaries, everyone, rejection).encode())
    write_whole(folder / "search.png", _curves(found))
    write_whole(folder / "search-pictures.png", _pictures(bench, found))


def page(summaries: list[Summary], everyone: list[Run], rejection: dict[int, Run]) -> str:
    """The table in Markdown, with what it says and how it was made."""
    winners = {
        group: [one for one in summaries if one.verdict == "wins" and METHODS[one.method].group == group]
        for group in ("extensions", "searches", "merges", "ablations")
    }
    best = max(summaries, key=lambda one: one.scores["ja"].mean)
    spent = [run["seconds"][0] / (run["cost"] * len(run["curve"])) for run in everyone]
    first = everyone[0]
    lines = [
        "# search",
        "",
        EXPLAINED.format(early=EARLY, reported=len(first["held_out"]["ja"]), **first),
        f"Extensions that win: {_titles(winners['extensions'])}. Other searches and merges that win: "
        f"{_titles(winners['searches'] + winners['merges'])}. Ablations that win: {_titles(winners['ablations'])}.",
        f"Best in Japanese: {METHODS[best.method].title}, {_interval(best.scores['ja'])}.",
        *(_spared(run) for run in rejection.values()),
    ]
    for group in ("merges", "searches", "ablations", "extensions"):
        rows = [one.row() for one in summaries if METHODS[one.method].group == group]
        if rows:
            lines += ["", f"## {group}", "", f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
            lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", "![curves](search.png)", "", "![pictures of the first seed](search-pictures.png)", ""]
    lines += [f"Machine: {one}." for one in sorted({run["machine"] for run in everyone})]
    lines += [f"An evaluation took {np.median(spent):.2f} seconds (median over runs)."]
    packages = {", ".join(f"{name} {number}" for name, number in run["versions"].items()) for run in everyone}
    return "\n".join([*lines, *(f"Versions: {one}." for one in sorted(packages))]) + "\n"


def _titles(summaries: list[Summary]) -> str:
    return ", ".join(METHODS[one.method].title for one in summaries) or "none"


def _spared(run: Run) -> str:
    same = "nobody who entered was turned away: the archive is the same"
    if run["wronged"]:
        same = f"{run['wronged']} who entered would have been turned away"
    return (
        f"Early rejection in batches of {METHODS[run['method']].batch} spares {run['spared']} of {run['drawn']} "
        f"pictures ({run['spared'] / run['drawn']:.0%}); {same}."
    )


def _interval(estimate: Estimate, sign: str = "") -> str:
    return f"{estimate.mean:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def _curves(found: Runs) -> bytes:
    """Best mean fitness against evaluations, with the least and the largest over seeds, M2N2 in every panel; PNG."""
    figure = Figure(figsize=(16, 5.5), layout="constrained")
    for panel, group in zip(figure.subplots(1, 3, sharey=True), ("searches", "ablations", "extensions"), strict=True):
        shown = [method for method in found if method == "m2n2" or METHODS[method].group == group]
        for number, method in enumerate(shown):
            runs = list(found[method].values())
            curves = np.array([run["curve"] for run in runs])  # [seeds, evaluations]
            mean = curves.mean(axis=0)
            made = runs[0]["cost"] * np.arange(1, len(mean) + 1)
            style = {"color": "black" if method == "m2n2" else f"C{number % 10}", "label": METHODS[method].title}
            panel.plot(made, mean, linewidth=1.2, linestyle="-" if number < 10 else "--", **style)
            panel.fill_between(made, *np.quantile(curves, [0, 1], axis=0), color=style["color"], alpha=0.1, linewidth=0)
        if group == "searches":
            for number, method in enumerate(one for one in found if METHODS[one].group == "merges"):
                level = np.mean([run["curve"][-1] for run in found[method].values()])
                panel.axhline(level, color=f"C{number}", linewidth=0.8, linestyle=":", label=METHODS[method].title)
        panel.set_title(group, fontsize=10)
        panel.set_xlabel("evaluations")
        panel.grid(alpha=0.3)
        if shown:
            panel.legend(fontsize=7)
    figure.axes[0].set_ylabel("best mean fitness")
    if "average" in found:  # what lies below is the same for all: the sources, then a first child or two
        figure.axes[0].set_ylim(bottom=found["average"][0]["curve"][-1] - 0.01)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return file.getvalue()


def _pictures(bench: Bench, found: Runs) -> bytes:
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
    captions = ["\n".join(textwrap.wrap(text, 5)) for text in prompts.texts("ja")] if path else prompts.ids
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
