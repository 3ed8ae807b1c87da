"""`m2n2 sources`: what lies in a checkpoint, and how alike checkpoints are."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import console
from .options import Json

if TYPE_CHECKING:
    from pipelines.checkpoints.sources import Source

SOURCE_FORMS = (
    "a folder, a .safetensors or .ckpt file, a hub id, or 'BASE + 0.8 * LORA'; 'FILE as v-prediction' to say so"
)

sources_app = typer.Typer(
    help="Checkpoints that evolution starts from. / 進化の元になる素材モデル。", no_args_is_help=True
)


@sources_app.command("list")
def sources_list(as_json: Json = False) -> None:
    """The known sources: name, path, licence. / 既知の素材モデルの名前・パス・ライセンスを一覧にします。"""
    import assets
    from pipelines.checkpoints.sources import open_source

    known = [open_source(path) for path in assets.sources()]
    rows = [
        {"name": source.name, "path": str(source.path), "licence": source.licence, "languages": list(source.languages)}
        for source in known
    ]
    if as_json:
        console.print_json({"sources": rows})
        return
    table = Table("name", "licence", "languages", "path")
    for source in known:
        table.add_row(source.name, source.licence, ", ".join(source.languages), str(source.path))
    Console().print(table)


@sources_app.command("inspect")
def sources_inspect(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_FORMS)],
    probe: Annotated[
        bool, typer.Option("--probe", help="tell by one step on noise whether it predicts noise or velocity")
    ] = False,
    as_json: Json = False,
) -> None:
    """A source's components, sizes and hashes; reads and checks every byte. / 素材モデルの構成とハッシュを調べます。"""
    from pipelines.checkpoints.adapted import applied_adapters
    from pipelines.checkpoints.source_expression import parse_terms
    from pipelines.checkpoints.source_uri import open_source_uri
    from pipelines.errors import RecipeError
    from pipelines.exporting.provenance import embedded_recipe
    from pipelines.storage.formats import PICKLE_SUFFIXES
    from studio.library.adapter_notes import source_notes
    from studio.library.source_description import describe_source, source_problems

    opened = open_source_uri(source)
    console.print_notes([note.text("en") for note in source_notes(opened)])
    carried = None
    if (
        opened.path.suffix.lower() not in PICKLE_SUFFIXES and not parse_terms(opened.uri)[1]
    ):  # a LoRA's base carries the base's recipe
        with contextlib.suppress(RecipeError):  # a stranger's header
            carried = embedded_recipe(opened.path)
    probed = _probe(opened) if probe else {}
    problems = source_problems(opened)
    unreadable = problems.keys() - opened.shortfalls.keys()
    parts = [
        {
            "component": part.name,
            "tensors": len(part.tensors),
            "bytes": part.size,
            "dtypes": sorted({ref.stored for ref in part.tensors.values()}),
            "sha256": None if part.name in unreadable else part.sha256,
            "chromosomes": {name: layout.size for name, layout in part.layouts.items()} if part.name != "vae" else {},
        }
        for part in opened.components.values()
    ]
    about = {
        "name": opened.name,
        "path": opened.uri,
        "licence": opened.licence,
        "languages": list(opened.languages),
        "architecture": str(opened.architecture),
        "holds": describe_source("en", opened),
        "problems": problems,
        "strange_keys": list(opened.strange_keys),
        "recipe": carried.model_dump(mode="json", exclude_none=True) if carried else None,
        **probed,
        "components": parts,
    }
    if as_json:
        console.print_json(about)
        _refuse_problems(opened.name, problems)
        return
    Console().print(about["holds"], soft_wrap=True, highlight=False, markup=False)
    table = Table(
        "component",
        "tensors",
        "MB",
        "dtype",
        "sha256",
        title=f"{opened.name}: {opened.architecture}; licence {opened.licence}",
    )
    for part in parts:
        size = f"{part['bytes'] / 1e6:.1f}"  # type: ignore[operator]
        digest = str(part["sha256"] or "")[:16]
        table.add_row(part["component"], str(part["tensors"]), size, ", ".join(part["dtypes"]), digest)  # type: ignore
    Console().print(table)
    if probed:
        Console().print(_probe_sentence(probed["probe"], opened), soft_wrap=True, highlight=False, markup=False)
    for applied in applied_adapters(opened.components.values()):
        kinds = ", ".join(f"{kind} on {count} tensors" for kind, count in applied.adapter.kinds.items())
        said = f"{applied.scale!r} * {applied.path.name}: {kinds}, of {', '.join(applied.parts)}"
        Console().print(said, soft_wrap=True, highlight=False, markup=False)
    if carried:
        made_of = ", ".join(one.name for one in carried.sources)
        Console().print(f"carries the recipe it was made by, of {made_of}; --json prints it", soft_wrap=True)
    _refuse_problems(opened.name, problems)


def _refuse_problems(name: str, problems: Mapping[str, str]) -> None:
    """End with an error where a component cannot be used, once all has been said."""
    from pipelines.errors import SourceError

    if problems:
        raise SourceError(
            "{name} {problems}. Expected whole components: what is whole can be used, and "
            "`m2n2 recipe blend` takes a part from another source with --host {part}=SOURCE.",
            name=name,
            problems="; it ".join(problems.values()),
            part=next(iter(problems)),
        )


def _probe(source: Source) -> dict[str, dict[str, Any]]:
    from pipelines.generation.prediction_probe import probe_prediction

    found = probe_prediction(source)
    return {"probe": {"prediction_type": found.prediction_type, "share": found.share}}


def _probe_sentence(probed: Mapping[str, Any], source: Source) -> str:
    """What the probe told, and what to write where the source is taken for something else."""
    from pipelines.checkpoints.source_expression import expression_predicting

    kind, share = probed["prediction_type"], f"{probed['share']:.2f} of the noise came back"
    if kind is None:
        return f"probe: neither noise nor velocity, {share}"
    said = f"probe: {kind.replace('_', '-')}, {share}"
    if kind == source.architecture.prediction_type:
        return said
    right = expression_predicting(source.uri, kind)
    return f"{said}; it is taken for {source.architecture.prediction}: name it as '{right}'"


@sources_app.command("check")
def sources_check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help=SOURCE_FORMS)],
    runs: Annotated[
        Path, typer.Option(help="folder that holds the runs; their sources and those added are compared with")
    ] = Path("runs"),
    as_json: Json = False,
) -> None:
    """Broken values and layers, duplicates, colours; exit code 1 if broken. / 壊れた層や重複、色合いを調べます。"""
    from studio.doctor.examination import examine_sources

    with console.bytes_progress("reading") as progress:
        examined = examine_sources(files, runs, progress)
    if as_json:
        console.print_json({"sources": [one.as_json() for one in examined]})
    else:
        for one in examined:
            print("\n  ".join([f"{one.name}:", *one.sentences("en")]))
    if not all(one.sound for one in examined):
        raise typer.Exit(1)


@sources_app.command("compare")
def sources_compare(
    paths: Annotated[list[str], typer.Argument(metavar="SOURCE SOURCE...", help=SOURCE_FORMS)],
    as_json: Json = False,
) -> None:
    """Whether sources can be merged, and the angle between them. / 素材モデルどうしの相性（角度）を調べます。"""
    from studio.doctor.comparison import compare_sources

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


@sources_app.command("licences")
def sources_licences(
    paths: Annotated[list[str], typer.Argument(metavar="SOURCE SOURCE...", help=SOURCE_FORMS)],
    as_json: Json = False,
) -> None:
    """What licences permit of a merge; no advice. / マージで許されることを示します（法的助言ではありません）。"""
    from pipelines.checkpoints.source_uri import open_source_uri
    from studio.i18n import t
    from studio.licences import ledger

    opened = ledger.ledger_of_sources(map(open_source_uri, paths))
    if as_json:
        console.print_json(opened.as_json())
        return
    table = Table(*map(escape, ledger.headers("en")))
    for row in opened.table("en"):
        table.add_row(*map(escape, row))
    Console().print(table)
    for entry in opened.entries:
        duty = entry.duty("en") or t("en", "read_it")
        Console().print(
            f"{entry.name}: {' AND '.join(entry.terms) or 'not stated'}: {duty}", markup=False, soft_wrap=True
        )
    console.print_clashes(opened.sentences("en"))
    Console().print(t("en", "no_advice"), markup=False, soft_wrap=True)
