"""The command line. Every error becomes one line on stderr and exit code 1; `--json` prints one object on stdout."""

from __future__ import annotations

import gc
import logging
import sys
from typing import NoReturn

import typer
from rich.markup import escape

from pipelines.errors import M2N2Error, disk_trouble

from . import console
from .evolve import evolve
from .export import export, merge
from .monitor import monitor
from .prompts import prompts_app
from .recipe import recipe_app
from .report import report, review, show
from .score import draw, score
from .sources import sources_app
from .studio.commands import studio_app
from .verify import clean, verify
from .votes import votes

app = typer.Typer(
    name="m2n2",
    help="Breed SDXL checkpoints with M2N2, judged on Japanese and English captions. / "
    "SDXL のチェックポイントを、日英のプロンプトで評価しながら交配します。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(sources_app, name="sources")
app.add_typer(recipe_app, name="recipe")
app.add_typer(prompts_app, name="prompts")


app.add_typer(studio_app, name="studio")

for command in (
    evolve,
    show,
    merge,
    export,
    score,
    draw,
    report,
    review,
    verify,
    monitor,
    votes,
    clean,
):  # as --help lists them
    app.command()(command)


_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # Python's 700 let it go through all of torch again and again as it is imported


def main() -> None:
    """Run the command line; an error of ours, or of a file, is one line and exit code 1."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("studio.cluster").setLevel(logging.INFO)  # what other machines do is seen nowhere else
    try:
        app()
    except M2N2Error as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(disk_trouble(error))


def _refuse(message: str) -> NoReturn:
    console.errors.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
