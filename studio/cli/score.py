"""`m2n2 score` and `m2n2 draw`: a model's pictures on a prompt set, and its best one of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from eval.prompts.prompt_set import Language
from studio.inference_search.search import SearchName

from . import console
from .options import Json, Pictures, Syntax

if TYPE_CHECKING:
    from studio.evaluation.picture_search import PictureSearch
    from studio.inference_search.attempts import Attempt

_SHOWN = 5  # pictures in the table; tried.json has them all


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


def draw(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="a source, a recipe file, or RUN:INDIVIDUAL")],
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="what to draw, and what pictures are scored by")],
    language: Annotated[Language | None, typer.Option(help="of the prompt; as its letters say if left out")] = None,
    budget: Annotated[int, typer.Option(min=1, max=1000, help="pictures to draw")] = 32,
    search: Annotated[
        SearchName,
        typer.Option(help="best-of-n: other noise each time; ab-mcts: guidance, steps and wording too, where it pays"),
    ] = "best-of-n",
    wording: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="with ab-mcts: another way to say the prompt; may be repeated"),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="an open_clip model; if left out the run's, else the judge for small models, the recommended one for "
            "SDXL",
        ),
    ] = None,
    pictures: Pictures = None,
    prompt_syntax: Syntax = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="of the first noise; the others count up")] = 0,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="a folder to make; drawn/DATE if left out")] = None,
    as_json: Json = False,
) -> None:
    """Draw a prompt many times, the best picture first. / プロンプトを何枚も生成し、よい順に保存します。"""
    if wording and search != "ab-mcts":
        raise typer.BadParameter("--wording is searched by AB-MCTS alone: expected --search ab-mcts with it.")
    from pipelines.exporting.drafts import require_empty_folder
    from studio.evaluation.picture_search import search_model
    from studio.execution.control import default_folder

    folder = require_empty_folder(out or default_folder(Path("drawn")))
    with (
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(),
            console=console.errors,
            disable=not console.errors.is_terminal,
        ) as bar,
        console.first_interrupt_stops() as is_stopped,
    ):
        task = bar.add_task("opening", total=budget)

        def on_attempt(attempts: Sequence[Attempt]) -> None:
            best = max(attempt.reward for attempt in attempts)
            bar.update(task, completed=len(attempts), description=f"best {best:.4f}")

        found = search_model(
            model,
            prompt,
            budget=budget,
            search=search,
            language=language,
            wordings=wording or (),
            scorer=scorer,
            pictures=pictures or "standard",
            syntax=prompt_syntax,
            seed=seed,
            on_attempt=on_attempt,
            is_stopped=is_stopped,
        )
    found.write(folder)
    if as_json:
        console.print_json(found.as_json() | {"path": str(folder)})
        return
    Console().print(_table(found))
    print(folder)


def _table(found: PictureSearch) -> Table:
    """The best pictures, and the one as it was asked for."""
    table = Table("", "score", "seed", "guidance", "steps", "prompt", title=escape(found.wish.prompt))
    for place, one in enumerate(found.found, start=1):
        candidate, is_first = one.attempt.candidate, one.attempt.number == 0
        if place <= _SHOWN or is_first:
            table.add_row(
                f"{place:03}.png" + (" (as asked)" if is_first else ""),
                f"{one.attempt.reward:.4f}",
                str(candidate.seed),
                f"{candidate.guidance:g}",
                str(candidate.steps),
                escape(candidate.prompt),
            )
    return table
