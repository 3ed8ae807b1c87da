"""`m2n2 show`, `report` and `review`: a run as a table, as one page, and its shortlist as a page for a client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from studio.errors import RunError
from studio.i18n import Lang
from studio.runs.kind import is_any

from . import console
from .options import Json, Run

PageLang = Annotated[Lang, typer.Option(help="language of the page")]
PageFile = Annotated[
    Path | None, typer.Option(metavar="FILE.html", help="the page to write; beside the run if left out")
]


def show(run: Run, as_json: Json = False) -> None:
    """The archive, scores per language, lineage of the best. / アーカイブと点数、最良の個体の系譜を表示します。"""
    if is_any(run):
        from . import networks

        networks.show(run, as_json)
        return

    from studio.analysis.lineage import lineage
    from studio.runs import store, summary

    run_store = store.open_run(run)
    if as_json:
        console.print_json(summary.run_json(run_store))
        return
    alive = sorted((one for one in run_store.individuals() if one.alive), key=lambda one: -(one.mean("ja") or 0))
    table = Table("id", "Japanese", "English", "consistency", "parents", title=f"{run_store.folder} (fitness prompts)")
    for one in alive:
        scores = [f"{mean:.4f}" if (mean := one.mean(kind)) is not None else "" for kind in ("ja", "en", "consistency")]
        table.add_row(one.id, *scores, "" if one.is_source else f"{one.mother} x {one.father}")
    out = Console()
    out.print(table)
    if alive:
        line = " <- ".join(one.id for one in lineage(run_store, alive[0].id))
        out.print(f"lineage of {alive[0].id}: {line}")
    console.print_results(summary.run_json(run_store))


def report(run: Run, lang: PageLang = "en", out: PageFile = None) -> None:
    """A run as one page that opens anywhere: results, pictures, recipe. / 実行の結果を 1 つの HTML にまとめます。"""
    refuse_without_pictures(run)
    from studio.reports import write_report
    from studio.runs import store  # here, not above: what is refused needs no torch

    run_store = store.open_run(run)
    try:
        print(write_report(run_store, lang, out or run.with_name(f"{run.resolve().name}-report-{lang}.html")))
    finally:
        run_store.close()


def review(
    run: Run,
    lang: PageLang = "en",
    out: PageFile = None,
    read: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="take in what came back of the page; writes none")
    ] = None,
) -> None:
    """The shortlist as a page for a client, and what comes back. / 候補を 1 ページにし、感想を読み込みます。"""
    refuse_without_pictures(run)
    from studio.judging.reviews import read_review, take_in
    from studio.reports.review import write_review
    from studio.runs import store

    run_store = store.open_run(run)
    try:
        if read is None:
            print(write_review(run_store, lang, out or run.with_name(f"{run.resolve().name}-review-{lang}.html")))
            return
        kept = take_in(run_store, read_review(read))
    finally:
        run_store.close()
    print(f"{kept.by}: {kept.comments} comments, {kept.picks} picks")


def refuse_without_pictures(run: Path) -> None:
    """Refuse a run that breeds networks of another kind.

    Raises:
        RunError: it is one.
    """
    if is_any(run):
        raise RunError("{run} breeds networks that draw no pictures. See it with `m2n2 show {run}`.", run=run)
