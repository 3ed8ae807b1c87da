"""`m2n2 score`: a model's pictures on a prompt set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from . import console
from .options import Json, Pictures, Syntax


def score(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="a source, a recipe file, or RUN:INDIVIDUAL")],
    prompts: Annotated[Path, typer.Option(metavar="SET", help="a prompt set (YAML)")],
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="an open_clip model; if left out the jury for small models, the recommended one for SDXL",
        ),
    ] = None,
    language: Annotated[Literal["ja", "en", "both"], typer.Option(help="which captions")] = "both",
    pictures: Pictures = None,
    prompt_syntax: Syntax = None,
    as_json: Json = False,
) -> None:
    """Score a model's pictures on a prompt set. / モデルの画像をプロンプトセットで採点します。"""
    from studio.evaluation.score_model import score_model

    how = pictures or "standard"
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console.errors,
        disable=not console.errors.is_terminal,
    ) as bar:
        task = bar.add_task("pictures", total=None)
        scored = score_model(
            model,
            prompts,
            scorer,
            language,
            pictures=how,
            syntax=prompt_syntax,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if as_json:
        console.print_json(scored)
        return
    table = Table("", "mean", "95 %", title=f"{model}: {scored['prompts']} by {scored['scorer']['name']}")
    for kind, estimate in scored["scores"].items():
        table.add_row(kind, f"{estimate['mean']:.4f}", f"{estimate['low']:.4f} .. {estimate['high']:.4f}")
    Console().print(table)
