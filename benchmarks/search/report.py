"""The runs of the search benchmark as a table with verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.markdown import markdown_table
from pipelines.storage.files import write_whole

from .contrasts import contrasts, minus
from .figures import Run, Runs, curves, pictures
from .shares import shares, shares_by_quarter
from .statistics import Tested, crossed, holm, interval
from .table import METHODS
from .task import Bench
from .thrift import raced, thrift

KINDS = ("ja", "en", "consistency")
EARLY = 50  # evaluations after which one can see who is quick
ENOUGH = 5  # seeds that a verdict takes; the seeds from there on confirm, so many at a time
CHANCE = 0.05  # of calling anybody in a part of the table different who is not
NOT_WORSE = 0.01  # in English: the interval begins above minus this
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
    "consistency over M2N2's",
    "p",
    "verdict",
)

EXPLAINED = """\
Each search has {evaluations} evaluations of {niches} pictures, those of the sources among them. Judge: mean
fitness, on Japanese captions, of what the search would ship, in the end and after {early} evaluations; not of those
that go by other noise or, as "likeness to pictures", by reference pictures of the same prompts (NCS). All else: the
jury on the same, with {reported} held-out prompts. CMMD: of the Japanese pictures to the reference pictures, by the
jury's features; smaller is more alike; in brackets the least and the largest over seeds. Other brackets: 95 % intervals
over seeds and prompts, both random (Hillis 2007), of single runs over prompts alone; differences are paired by both and
not adjusted.

Verdicts take {enough} seeds of M2N2 and of whoever stands beside it; a merge whose seeds make no difference has one run
for all. p is of the difference in Japanese, adjusted for the rows of its part of the table (Holm 1979). A row wins if p
is below {chance:.0%}, it is better in Japanese, and the interval in English begins above -{worse}; it wins in Japanese
alone if it does not; it loses if p is below {chance:.0%} and it is worse in Japanese. What is undecided may differ by
as much as its interval says, and may well differ in consistency, which no verdict looks at. We make an extension the
default if it wins here and again on seeds {enough} to {last}, with M2N2's runs on those, and report of it only figures
of those seeds. What was thought of later has its first seeds there, and is confirmed on the five after them.
"""


def load(folder: Path, evaluations: int) -> Runs:
    """All runs of so many evaluations, methods in the order of METHODS."""
    found: Runs = {}
    for method in METHODS:
        for path in sorted((folder / "search").glob(f"{method}-{evaluations}-*.json")):
            run = json.loads(path.read_text("utf-8"))
            found.setdefault(method, {})[run["seed"]] = run
    return found


@dataclass(frozen=True)
class Summary:
    """A method's figures over its seeds.

    Attributes:
        judge: mean fitness of what it would ship, in Japanese, on the niches; None if that is another fitness or noise.
        early: the same after EARLY evaluations, where it has as many.
        scores: by the jury on the held-out prompts, by kind.
        cmmd: mean, least and largest over seeds.
        over: scores minus those of M2N2 with the same seeds, by kind; none for M2N2 itself or without its runs.
        pairs: how many seeds that is.
        p: of the difference in Japanese, adjusted; None without a verdict.
    """

    method: str
    seeds: int
    judge: float | None
    early: float | None
    scores: dict[str, Tested]
    cmmd: tuple[float, float, float]
    over: dict[str, Tested]
    pairs: int
    p: float | None = None

    @property
    def verdict(self) -> str:
        """Beside M2N2, see EXPLAINED."""
        if not self.over:
            return ""
        if self.p is None:
            return "too few seeds"
        if self.p >= CHANCE:
            return "undecided"
        if self.over["ja"].mean < 0:
            return "loses"
        return "wins" if self.over["en"].low > -NOT_WORSE else "wins in Japanese alone"

    def row(self) -> list[str]:
        """Its row of the table."""
        mean, low, high = self.cmmd
        return [
            METHODS[self.method].title,
            str(self.seeds),
            "" if self.judge is None else f"{self.judge:.3f}",
            "" if self.early is None else f"{self.early:.3f}",
            *(interval(self.scores[kind]) for kind in KINDS),
            f"{mean:z.3f}" if self.seeds == 1 else f"{mean:z.3f} ({low:z.3f} to {high:z.3f})",
            *(interval(self.over[kind], "+") if self.over else "" for kind in KINDS),
            "" if self.p is None else f"{self.p:.3f}",
            self.verdict,
        ]


def summarise(method: str, runs: dict[int, Run], reference: dict[int, Run]) -> Summary:
    """The figures of a method, and how far it is from the reference with the same seeds.

    A method whose seeds make no difference has one run, which stands for all seeds.
    """
    pairs = [(runs.get(seed) or runs[0], other) for seed, other in reference.items() if seed in runs or _once(method)]
    over = {}
    if method != "m2n2" and pairs:
        over = {kind: crossed([minus(*pair, kind) for pair in pairs]) for kind in KINDS}
    distances = [run["cmmd"] for run in runs.values()]
    return Summary(
        method,
        len(runs),
        judge=None if METHODS[method].apart else float(np.mean([run["curve"][-1] for run in runs.values()])),
        early=None if METHODS[method].apart else _early(list(runs.values())),
        scores={kind: crossed([run["held_out"][kind] for run in runs.values()]) for kind in KINDS},
        cmmd=(float(np.mean(distances)), min(distances), max(distances)),
        over=over,
        pairs=len(pairs) if over else 0,
    )


def with_verdicts(summaries: Sequence[Summary]) -> list[Summary]:
    """The summaries of one part of the table, with p-values adjusted for those that have seeds enough."""
    ready = [place for place, one in enumerate(summaries) if one.pairs >= ENOUGH]
    adjusted = dict(zip(ready, holm([summaries[place].over["ja"].p for place in ready]), strict=True))
    return [replace(one, p=adjusted.get(place)) for place, one in enumerate(summaries)]


def _table(found: Runs) -> list[Summary]:
    """Everybody beside M2N2 on the same seeds, a part of the table after another."""
    reference = found.get("m2n2", {})
    groups: dict[str, list[Summary]] = {}
    for method, runs in found.items():
        groups.setdefault(METHODS[method].group, []).append(summarise(method, runs, reference))
    return [one for summaries in groups.values() for one in with_verdicts(summaries)]


def _early(runs: list[Run]) -> float | None:
    last = [EARLY // run["cost"] - 1 for run in runs]
    if any(len(run["curve"]) <= index for run, index in zip(runs, last, strict=True)):
        return None
    return float(np.mean([run["curve"][index] for run, index in zip(runs, last, strict=True)]))


def _once(method: str) -> bool:
    return METHODS[method].seeds == 1


def report(bench: Bench, folder: Path, evaluations: int, name: str = "search") -> None:
    """Print the table of all runs under `folder`/search; write it to `NAME.md`, with `NAME.png` and pictures."""
    whole = load(folder, evaluations)
    rejection = whole.pop("early-rejection", {})
    everyone = [run for runs in [*whole.values(), rejection] for run in runs.values()]
    found = _of_seeds(whole, range(ENOUGH))
    summaries, later = _table(found), _later(whole)
    again = {title: _table(runs) for title, runs in later.items()}
    table = Table(*COLUMNS)
    for summary in [*summaries, *(one for part in again.values() for one in part)]:
        table.add_row(*summary.row())
    Console(width=230).print(table)
    if not found:
        return
    drawn = thrift(found) + [line for title, runs in later.items() for line in thrift(runs, f"pictures, {title}")]
    sources = list(bench.sources)
    drawn += [*contrasts(found), *shares(whole, sources), *shares_by_quarter(whole, sources)]
    written = page(summaries, again, everyone, rejection, drawn, name)
    write_whole(folder / f"{name}.md", written.encode())
    write_whole(folder / f"{name}.png", curves(found, later))
    write_whole(folder / f"{name}-pictures.png", pictures(bench, found))


def _of_seeds(found: Runs, seeds: range) -> Runs:
    some = {method: {seed: run for seed, run in runs.items() if seed in seeds} for method, runs in found.items()}
    return {method: runs for method, runs in some.items() if runs}


def _later(whole: Runs) -> dict[str, Runs]:
    """The runs of later seeds, five after five, by which seeds they are."""
    last = max((seed for runs in whole.values() for seed in runs), default=0)
    starts = range(ENOUGH, last + 1, ENOUGH)
    return {f"seeds {one} to {one + ENOUGH - 1}": _of_seeds(whole, range(one, one + ENOUGH)) for one in starts}


def page(
    summaries: list[Summary],
    again: Mapping[str, Sequence[Summary]],
    everyone: list[Run],
    rejection: dict[int, Run],
    more: Sequence[str] = (),
    name: str = "search",
) -> str:
    """The table in Markdown, with what it says and how it was made; `again` are later seeds, by which they are.

    `more` are lines of `thrift`, `contrasts`, `shares` and `shares_by_quarter`; figures lie beside the page under its
    `name`.
    """
    parts = {
        group: [one for one in summaries if METHODS[one.method].group == group]
        for group in ("merges", "searches", "ablations", "fitness", "extensions")
    }
    winners = {group: [one for one in part if one.verdict == "wins"] for group, part in parts.items()}
    best = max(summaries, key=lambda one: one.scores["ja"].mean)
    spent = [run["seconds"][0] / (run["cost"] * len(run["curve"])) for run in everyone]
    first = everyone[0]
    lines = [
        "# search",
        "",
        EXPLAINED.format(
            early=EARLY,
            enough=ENOUGH,
            last=2 * ENOUGH - 1,
            chance=CHANCE,
            worse=NOT_WORSE,
            reported=len(first["held_out"]["ja"]),
            **first,
        ),
        f"Extensions that win: {_titles(winners['extensions'])}. Other searches and merges that win: "
        f"{_titles(winners['searches'] + winners['merges'])}. Ablations that win: {_titles(winners['ablations'])}. "
        f"Another fitness that wins: {_titles(winners['fitness'])}.",
        f"Best in Japanese: {METHODS[best.method].title}, {interval(best.scores['ja'])}.",
        *(_spared(run) for run in rejection.values()),
    ]
    for title, part in {**parts, **again}.items():
        lines += _rows(title, part)
    lines += [*more, *raced(everyone)]
    lines += ["", f"![curves]({name}.png)", "", f"![pictures of the first seed]({name}-pictures.png)", ""]
    lines += [f"Machine: {one}." for one in sorted({run["machine"] for run in everyone})]
    lines += [f"An evaluation took {np.median(spent):.2f} seconds (median over runs)."]
    packages = {", ".join(f"{name} {number}" for name, number in run["versions"].items()) for run in everyone}
    return "\n".join([*lines, *(f"Versions: {one}." for one in sorted(packages))]) + "\n"


def _rows(title: str, part: Sequence[Summary]) -> list[str]:
    """A part of the table in Markdown; nothing without rows."""
    if not part:
        return []
    return ["", f"## {title}", "", *markdown_table(COLUMNS, [one.row() for one in part])]


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
