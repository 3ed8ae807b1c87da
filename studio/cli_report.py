"""`m2n2 report`: a run as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .anynet import is_any
from .errors import RunError


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")],
    lang: Annotated[Literal["en", "ja"], typer.Option(help="language of the page")] = "en",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="the page to write; beside the run if left out")
    ] = None,
) -> None:
    """A run as one page that opens anywhere: results, pictures, recipe. / 実行の結果を 1 つの HTML にまとめる。"""
    if is_any(run):
        raise RunError(f"{run} breeds networks that draw no pictures. See it with `m2n2 show {run}`.")
    from . import store  # here, not above: what is refused needs no torch
    from .report import write_report

    opened = store.open_run(run)
    try:
        print(write_report(opened, lang, out or run.with_name(f"{run.resolve().name}-report-{lang}.html")))
    finally:
        opened.close()
