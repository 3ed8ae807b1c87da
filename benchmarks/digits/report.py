"""The runs of the digits benchmark as a table and a figure, beside the published figures."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.markdown import markdown_table
from pipelines.storage.files import write_whole

CONFIDENCE = 0.95
ENOUGH = 5  # runs of a method that luck touches, to be set beside a published figure
READING = 0.5  # points by which a value read off the paper's figure may be wrong

# Final test accuracy in %, read off figure 2 of the paper by eye; None where the paper shows no curve.
PUBLISHED: dict[str, dict[str, float | None]] = {
    "scratch": {
        "m2n2": 87.0,
        "cma-es": 86.0,
        "no-crossover": 77.0,
        "ga-no-crossover": 71.0,
        "ga": 68.0,
        "map-elites": 60.0,
        "no-attraction": None,
        "no-split": None,
    },
    "pretrained": {
        "m2n2": 68.3,
        "no-attraction": 66.2,
        "replacement": 66.2,
        "map-elites": 62.3,
        "no-split": 57.8,
        "brute-force": 57.8,
        "ga": 52.0,
    },
}
TITLES = {
    "scratch": "from scratch",
    "pretrained": "pre-trained",
    "m2n2": "M2N2",
    "no-attraction": "M2N2 without attraction",
    "replacement": "the same, parents drawn with replacement",
    "no-split": "M2N2 without split point",
    "no-crossover": "M2N2 without crossover",
    "ga": "GA",
    "ga-no-crossover": "GA without crossover",
    "map-elites": "MAP-Elites",
    "cma-es": "CMA-ES (diagonal)",
    "brute-force": "brute force",
}
WITHOUT_LUCK = ("brute-force",)  # one run says all
COLUMNS = ("start", "method", "runs", "test accuracy, %", "coverage, %", "entropy, bits", "published, %", "within")

Floats = NDArray[np.float64]
Run = dict[str, Any]


def band(values: ArrayLike) -> tuple[Floats, Floats]:
    """Mean over runs and half the width of its 95 % interval (Student's t); the half is 0 for a single run.

    Args:
        values: float [runs, ...].
    """
    values = np.asarray(values, dtype=np.float64)
    runs = len(values)
    mean = values.mean(axis=0)
    if runs < 2:
        return mean, np.zeros_like(mean)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, runs - 1)
    return mean, quantile * values.std(axis=0, ddof=1) / np.sqrt(runs)


@dataclass(frozen=True)
class Summary:
    """A method's final figures over its runs, in %, entropy in bits: mean and half of the band."""

    setting: str
    method: str
    runs: int
    test: tuple[float, float]
    coverage: tuple[float, float]
    entropy: tuple[float, float]
    published: float | None

    @property
    def within(self) -> str:
        """Whether the published figure lies in the band, allowing for how well it can be read; ours minus it if not."""
        if self.published is None:
            return ""
        if self.runs < ENOUGH and self.method not in WITHOUT_LUCK:
            return "too few runs"
        mean, half = self.test
        return "yes" if abs(mean - self.published) <= half + READING else f"no, {mean - self.published:+.1f}"

    def row(self) -> list[str]:
        """Its row of the table."""
        published = "" if self.published is None else f"{self.published:g}"
        figures = [
            f"{mean:.{digits}f} ± {half:.{digits}f}" if self.runs >= ENOUGH else f"{mean:.{digits}f}"
            for (mean, half), digits in ((self.test, 1), (self.coverage, 1), (self.entropy, 2))
        ]
        return [TITLES[self.setting], TITLES[self.method], str(self.runs), *figures, published, self.within]


def summarise(setting: str, method: str, runs: list[Run]) -> Summary:
    """The final figures of one method."""

    def last(name: str, scale: float = 1.0) -> tuple[float, float]:
        mean, half = band([run["curve"][name][-1] * scale for run in runs])
        return float(mean), float(half)

    return Summary(
        setting,
        method,
        len(runs),
        test=last("test", 100.0),
        coverage=last("coverage", 100.0),
        entropy=last("entropy"),
        published=PUBLISHED[setting][method],
    )


def report(folder: Path) -> None:
    """Print the table of all runs under `folder`/digits, and write it to `digits.md`, the curves to `digits.png`."""
    found: dict[tuple[str, str], list[Run]] = {}
    for path in sorted((folder / "digits").glob("*.json")):
        run = json.loads(path.read_text("utf-8"))
        found.setdefault((run["setting"], run["method"]), []).append(run)
    order = [(setting, method) for setting in PUBLISHED for method in PUBLISHED[setting] if (setting, method) in found]
    summaries = [summarise(*key, found[key]) for key in order]
    rows = [one.row() for one in summaries]
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*row)
    Console(width=130).print(table)
    everyone = [run for runs in found.values() for run in runs]
    write_whole(folder / "digits.md", _page(rows, everyone).encode())
    write_whole(folder / "digits.png", _figure({key: found[key] for key in order}))


def _page(rows: list[list[str]], runs: list[Run]) -> str:
    machines = sorted({run["machine"] for run in runs})
    versions = sorted({", ".join(f"{name} {number}" for name, number in run["versions"].items()) for run in runs})
    lines = [
        "# digits",
        "",
        "Final test accuracy of the network with the best training accuracy; coverage and entropy of the archive on",
        f"the training pictures. Mean over runs ± half of its {CONFIDENCE:.0%} interval (Student's t). Published: read",
        f"off the paper's figure 2 by eye, ± {READING}; `within` allows for that, and where not says by how much ours",
        f"differs. Bands take {ENOUGH} runs, and so does the comparison, but of a method without randomness.",
        "",
        *markdown_table(COLUMNS, rows),
        "",
        "![curves](digits.png)",
        "",
        *(f"Machine: {machine}, one thread per run." for machine in machines),
        *(f"Versions: {one}." for one in versions),
    ]
    return "\n".join(lines) + "\n"


def _figure(found: dict[tuple[str, str], list[Run]]) -> bytes:
    """A row of panels per setting: test accuracy, coverage and entropy against evaluations; bands for ENOUGH; PNG."""
    settings = list(dict.fromkeys(setting for setting, _ in found))
    figure = Figure(figsize=(15, 3.8 * len(settings)), layout="constrained")
    panels = figure.subplots(len(settings), 3, squeeze=False)
    colours = {method: f"C{number}" for number, method in enumerate(PUBLISHED["scratch"] | PUBLISHED["pretrained"])}
    for (setting, method), runs in found.items():
        row = panels[settings.index(setting)]
        for panel, (name, scale) in zip(row, (("test", 100.0), ("coverage", 100.0), ("entropy", 1.0)), strict=True):
            mean, half = band([np.array(run["curve"][name]) * scale for run in runs])
            made = runs[0]["curve"]["evaluations"]
            panel.plot(made, mean, color=colours[method], label=TITLES[method], linewidth=1.2)
            if len(runs) >= ENOUGH:
                panel.fill_between(made, mean - half, mean + half, color=colours[method], alpha=0.2, linewidth=0)
    for setting, row in zip(settings, panels, strict=True):
        for panel, title in zip(row, ("test accuracy, %", "training coverage, %", "entropy, bits"), strict=True):
            panel.set_title(f"{TITLES[setting]}: {title}", fontsize=10)
            panel.set_xlabel("evaluations")
            panel.grid(alpha=0.3)
        row[-1].legend(*row[0].get_legend_handles_labels(), fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
