"""The command line. Every error becomes one line on stderr and exit code 1; `--json` prints one object on stdout."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipelines.errors import M2N2Error

from . import console
from .anynet import is_any
from .cli_monitor import monitor
from .cli_prompts import prompts_app
from .cli_recipe import recipe_app
from .cli_report import report
from .cli_sources import sources_app
from .cli_verify import verify
from .cli_votes import votes

if TYPE_CHECKING:
    from . import ship
    from .config import RunConfig

app = typer.Typer(
    name="m2n2",
    help="Breed SDXL checkpoints with M2N2, judged on Japanese and English captions. / "
    "SDXL のチェックポイントを日英の文で評価しながら交配します。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(sources_app, name="sources")
app.add_typer(recipe_app, name="recipe")
app.add_typer(prompts_app, name="prompts")

Out = Annotated[Path, typer.Option(help="a single file where it ends in .safetensors, else a diffusers folder to make")]
Dtype = Annotated[
    Literal["fp16", "bf16", "fp32"] | None, typer.Option(help="precision of all weights; the host's if left out")
]
Push = Annotated[
    str | None,
    typer.Option(metavar="OWNER/NAME", help="upload it to this Hugging Face repository, made private if it is new"),
]
Pictures = Annotated[
    Literal["draft", "standard", "final"] | None,
    typer.Option(help="how pictures are drawn: few steps to look around, for runs, or to keep; standard if left out"),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout and nothing else there")]


@app.command()
def evolve(
    run_yaml: Annotated[
        Path | None, typer.Argument(metavar="[RUN.yaml]", help="what to do; see run.yaml of any run")
    ] = None,
    preset: Annotated[Literal["embedded"] | None, typer.Option(help="settings that need no file")] = None,
    evaluations: Annotated[int | None, typer.Option(min=0, help="offspring to make")] = None,
    archive: Annotated[int | None, typer.Option(min=2, help="individuals kept alive")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="random seed")] = None,
    pictures: Pictures = None,
    out: Annotated[Path | None, typer.Option(help="the run's folder; runs/DATE if left out")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run in --out, to another budget with --evaluations")
    ] = False,
    fork: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="a new run as that one was asked, which begins with its archive"),
    ] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="only say what the run will need, and whether it fits this machine")
    ] = False,
    as_json: Json = False,
) -> None:
    """Breed offspring from a few checkpoints. / 交配を始める、または再開する。"""
    asked_for = {"evaluations": evaluations, "archive": archive, "seed": seed}
    changes: dict[str, Any] = {field: value for field, value in asked_for.items() if value is not None}
    if resume and (
        out is None or run_yaml or preset or fork or changes.keys() - {"evaluations"} or pictures or preflight
    ):
        _usage("--resume goes with --out RUN, and at most --evaluations: a run keeps its settings.")
    if not resume and [run_yaml, preset, fork].count(None) != 2:
        _usage("Name a RUN.yaml, --preset embedded, or --fork RUN.")
    asked = run_yaml or fork or (out if resume else None)
    if asked and is_any(asked):
        if out is None or pictures or preflight or fork or (resume and changes):
            _usage(
                "A run with kind: any needs --out RUN, and knows no --pictures, --preflight, --fork or other budget."
            )
        from .anynet import commands

        commands.evolve(run_yaml, changes, out, as_json)
        return

    from . import run, store, summary  # here, not above: what is refused needs no torch
    from .config import configured

    if resume and out is not None:
        opened = store.open_run(out)
        if evaluations is not None:
            run.extend(opened, evaluations)
    else:
        if fork is not None:
            run_yaml, changes = fork / "run.yaml", {**changes, "start": str(fork.resolve())}
        config = configured(run_yaml, changes, pictures)
        folder = out or run.default_folder(Path("runs"))
        if preflight:
            _preflight(config, folder, as_json)
            return
        opened = store.create_run(folder, config)
    with console.evolution_progress(opened.config.evaluations) as watch:
        run.carry_out(opened, watch)
    if as_json:
        console.print_json(summary.run_json(opened))
    else:
        console.print_results(summary.run_json(opened))
    opened.close()


def _preflight(config: RunConfig, folder: Path, as_json: bool) -> None:
    from .preflight import measured_rate, preflight

    found = preflight(config, config.open_sources(), folder=folder, rate=measured_rate(folder.parent, config))
    if as_json:
        console.print_json(found.to_json())
    else:
        console.print_preflight(found)
    found.check()


@app.command()
def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")], as_json: Json = False) -> None:
    """The archive, scores per language, lineage of the best. / アーカイブと点数、最良個体の系譜。"""
    if is_any(run):
        from .anynet import commands

        commands.show(run, as_json)
        return

    from . import store, summary

    opened = store.open_run(run)
    if as_json:
        console.print_json(summary.run_json(opened))
        return
    everyone = sorted((one for one in opened.individuals() if one.alive), key=lambda one: -(one.mean("ja") or 0))
    table = Table("id", "Japanese", "English", "consistency", "parents", title=f"{opened.folder} (fitness prompts)")
    for one in everyone:
        scores = [f"{mean:.4f}" if (mean := one.mean(kind)) is not None else "" for kind in ("ja", "en", "consistency")]
        table.add_row(one.id, *scores, "" if one.is_source else f"{one.mother} x {one.father}")
    out = Console()
    out.print(table)
    if everyone:
        line = " <- ".join(one.id for one in summary.lineage(opened, everyone[0].id))
        out.print(f"lineage of {everyone[0].id}: {line}")
    console.print_results(summary.run_json(opened))


@app.command()
def merge(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="a recipe file")],
    out: Out,
    dtype: Dtype = None,
    push: Push = None,
    as_json: Json = False,
) -> None:
    """Build a recipe's checkpoint, with card and licences. / レシピからチェックポイントを作る。"""
    from pipelines.recipe import load_recipe

    if recipe.suffix == ".json" and load_recipe(recipe).architecture == "any":
        _refuse_sdxl_options(out, dtype, push)
        from .anynet import commands

        commands.merge(recipe, out, as_json)
        return

    from . import ship
    from .models import open_model

    def write(progress: Callable[[int, int], None]) -> ship.Shipped:
        loaded, opened = open_model(str(recipe))
        return ship.prepare_recipe(loaded, opened, out, precision=dtype).send(progress)

    _shipped(write, push, as_json)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")],
    individual: Annotated[str, typer.Argument(metavar="INDIVIDUAL", help="its id, as `m2n2 show` prints it")],
    out: Out,
    dtype: Dtype = None,
    push: Push = None,
    as_json: Json = False,
) -> None:
    """Export an individual with its card, recipe and licences. / 個体をカード・レシピ・ライセンスと共に書き出す。"""
    if is_any(run):
        _refuse_sdxl_options(out, dtype, push)
        from .anynet import commands

        commands.export(run, individual, out, as_json)
        return

    from . import ship, store

    opened = store.open_run(run)
    _shipped(lambda told: ship.prepare(opened, individual, out, precision=dtype).send(told), push, as_json)


def _refuse_sdxl_options(out: Path, dtype: str | None, push: str | None) -> None:
    if dtype or push or out.suffix == ".safetensors":
        raise typer.BadParameter(
            "Any other network than SDXL is written as a folder like its host's, in the precision of its files: "
            "expected --out FOLDER, without --dtype and --push."
        )


def _shipped(write: Callable[[Callable[[int, int], None]], ship.Shipped], push: str | None, as_json: bool) -> None:
    """Write a checkpoint, push it if asked to, and say where it is."""
    from . import push as hub

    if push:
        hub.check_push(push)
    with console.ends_tidily(), console.bytes_progress() as progress:
        done = write(progress)
    console.print_warnings(done.warnings("en"))
    page = hub.push(done, push) if push else None
    if as_json:
        console.print_json(done.as_json() | {"pushed": page})
        return
    if page:
        console.errors.print(f"pushed to {page}", soft_wrap=True)
    print(done.path)


@app.command()
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
    as_json: Json = False,
) -> None:
    """Score a model's pictures on a prompt set. / モデルの絵をプロンプト集で採点する。"""
    from .scoring import score_model

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
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if as_json:
        console.print_json(scored)
        return
    table = Table("", "mean", "95 %", title=f"{model}: {scored['prompts']} by {scored['scorer']['name']}")
    for kind, estimate in scored["scores"].items():
        table.add_row(kind, f"{estimate['mean']:.4f}", f"{estimate['low']:.4f} .. {estimate['high']:.4f}")
    Console().print(table)


@app.command()
def studio(
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 opens it to the network")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 7860,
    runs: Annotated[Path, typer.Option(help="folder that holds the runs")] = Path("runs"),
) -> None:
    """Open the studio in a browser. / ブラウザでスタジオを開く。"""
    from .ui.app import serve

    serve(runs, host=host, port=port)


# Commands of modules of their own come after those above in the list that --help prints.
app.command()(report)
app.command()(verify)
app.command()(monitor)
app.command()(votes)


def main() -> None:
    """Run the command line; an error of ours is one line and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        app()
    except M2N2Error as error:
        console.errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(1)


def _usage(message: str) -> NoReturn:
    raise typer.BadParameter(f"{message} Try 'm2n2 evolve --help'.")


if __name__ == "__main__":
    main()
