"""The command line. Every error becomes one line on stderr and exit code 1; `--json` prints one object on stdout."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipelines.errors import M2N2Error

from . import console

app = typer.Typer(
    name="m2n2",
    help="Breed SDXL checkpoints with M2N2, judged on Japanese and English captions. / "
    "SDXL のチェックポイントを日英の文で評価しながら交配します。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
sources_app = typer.Typer(
    help="Checkpoints that evolution starts from. / 進化の元になるチェックポイント。", no_args_is_help=True
)
app.add_typer(sources_app, name="sources")

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
    out: Annotated[Path | None, typer.Option(help="the run's folder; runs/DATE if left out")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in --out")] = False,
    as_json: Json = False,
) -> None:
    """Breed offspring from a few checkpoints. / 交配を始める、または再開する。"""
    changes = {"evaluations": evaluations, "archive": archive, "seed": seed}
    changes = {field: value for field, value in changes.items() if value is not None}
    if resume and (out is None or run_yaml or preset or changes):
        _usage("--resume goes with --out RUN and nothing else: a run keeps its settings.")
    if not resume and (run_yaml is None) == (preset is None):
        _usage("Name a RUN.yaml, or --preset embedded.")

    from . import run, store, summary  # here, not above: what is refused needs no torch
    from .config import checked, embedded, load_config

    if resume and out is not None:
        opened = store.open_run(out)
    else:
        config = embedded(**changes) if run_yaml is None else load_config(run_yaml)
        if run_yaml is not None and changes:
            config = checked({**config.model_dump(), **changes})
        opened = store.create_run(out or run.default_folder(Path("runs")), config)
    with console.evolution_progress(opened.config.evaluations) as watch:
        run.carry_out(opened, watch)
    if as_json:
        console.print_json(summary.run_json(opened))
    else:
        console.print_results(summary.run_json(opened))
    opened.close()


@app.command()
def show(run: Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")], as_json: Json = False) -> None:
    """The archive, scores per language, lineage of the best. / アーカイブと点数、最良個体の系譜。"""
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
    out: Annotated[Path, typer.Option(help="the folder to make")],
) -> None:
    """Build a recipe's checkpoint as a diffusers folder. / レシピからチェックポイントを作る。"""
    from pipelines.export import export_folder

    from .models import open_model

    loaded, opened = open_model(str(recipe))
    with console.bytes_progress() as progress:
        folder = export_folder(loaded, opened, out, progress=progress)
    print(folder)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")],
    individual: Annotated[str, typer.Argument(metavar="INDIVIDUAL", help="its id, as `m2n2 show` prints it")],
    out: Annotated[Path, typer.Option(help="the folder to make")],
) -> None:
    """Export an individual with its card, recipe and licences. / 個体をカード・レシピ・ライセンスと共に書き出す。"""
    from . import ship, store

    opened = store.open_run(run)
    with console.bytes_progress() as progress:
        folder = ship.ship(opened, individual, out, progress=progress)
    print(folder)


@app.command()
def score(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="a diffusers folder, a recipe file, or RUN:INDIVIDUAL")],
    prompts: Annotated[Path, typer.Option(metavar="SET", help="a prompt set (YAML)")],
    scorer: Annotated[
        str | None, typer.Option(metavar="NAME", help="an open_clip model; the embedded jury if left out")
    ] = None,
    language: Annotated[Literal["ja", "en", "both"], typer.Option(help="which captions")] = "both",
    as_json: Json = False,
) -> None:
    """Score a model's pictures on a prompt set. / モデルの絵をプロンプト集で採点する。"""
    from .scoring import score_model

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console.errors,
        disable=not console.errors.is_terminal,
    ) as bar:
        task = bar.add_task("pictures", total=None)
        scored = score_model(
            model, prompts, scorer, language, progress=lambda done, of: bar.update(task, completed=done, total=of)
        )
    if as_json:
        console.print_json(scored)
        return
    table = Table("", "mean", "95 %", title=f"{model}: {scored['prompts']} by {scored['scorer']}")
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


@sources_app.command("list")
def sources_list(as_json: Json = False) -> None:
    """The known sources: name, path, licence. / 既知のソース一覧。"""
    import assets
    from pipelines.sources import open_source

    opened = [open_source(path) for path in assets.sources()]
    rows = [
        {"name": one.name, "path": str(one.path), "licence": one.licence, "languages": list(one.languages)}
        for one in opened
    ]
    if as_json:
        console.print_json({"sources": rows})
        return
    table = Table("name", "licence", "languages", "path")
    for one in opened:
        table.add_row(one.name, one.licence, ", ".join(one.languages), str(one.path))
    Console().print(table)


@sources_app.command("inspect")
def sources_inspect(path: Annotated[Path, typer.Argument(help="a diffusers folder")], as_json: Json = False) -> None:
    """A source's components, sizes and hashes; reads and checks every byte. / ソースの構成とハッシュ。"""
    from pipelines.sources import open_source

    opened = open_source(path)
    parts = [
        {
            "component": part.name,
            "tensors": len(part.tensors),
            "bytes": sum(file.stat().st_size for file in part.files),
            "dtypes": sorted({ref.dtype for ref in part.tensors.values()}),
            "sha256": part.sha256,
            "chromosomes": {name: layout.size for name, layout in part.layouts.items()} if part.name != "vae" else {},
        }
        for part in opened.components.values()
    ]
    about = {
        "name": opened.name,
        "path": str(opened.path),
        "licence": opened.licence,
        "languages": list(opened.languages),
        "prediction_type": opened.prediction_type,
        "components": parts,
    }
    if as_json:
        console.print_json(about)
        return
    table = Table("component", "tensors", "MB", "dtype", "sha256", title=f"{opened.name} ({opened.licence})")
    for part in parts:
        size = f"{part['bytes'] / 1e6:.1f}"  # type: ignore[operator]
        table.add_row(part["component"], str(part["tensors"]), size, ", ".join(part["dtypes"]), part["sha256"][:16])  # type: ignore
    Console().print(table)


@sources_app.command("compare")
def sources_compare(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH PATH...", help="diffusers folders")],
    as_json: Json = False,
) -> None:
    """Whether sources can be merged, and the angle between them. / ソース同士の相性（角度）。"""
    from .scoring import compare_sources

    compared = compare_sources(paths)
    if as_json:
        console.print_json(compared)
        return
    for chromosome, angles in compared["angles"].items():
        table = Table("", *compared["sources"], title=f"{chromosome}: angle in degrees")
        for name, row in zip(compared["sources"], angles, strict=True):
            table.add_row(name, *(f"{angle:.2f}" for angle in row))
        Console().print(table)
    reason = compared["text_encoders"]
    Console().print(f"text encoders: {'can be merged' if reason is None else f'come from the host: {reason}'}")


def main() -> None:
    """Run the command line; an error of ours is one line and exit code 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        app()
    except M2N2Error as error:
        console.errors.print(f"[bold red]error:[/] {error}", soft_wrap=True, highlight=False)
        sys.exit(1)


def _usage(message: str) -> NoReturn:
    raise typer.BadParameter(f"{message} Try 'm2n2 evolve --help'.")


if __name__ == "__main__":
    main()
