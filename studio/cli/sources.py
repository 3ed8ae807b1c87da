"""`m2n2 sources`: what lies in a checkpoint, and how alike checkpoints are."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import console
from .options import Json

SOURCE_FORMS = "a folder, a .safetensors or .ckpt file, a hub id, or 'BASE + 0.8 * LORA'"

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
    as_json: Json = False,
) -> None:
    """A source's components, sizes and hashes; reads and checks every byte. / 素材モデルの構成とハッシュを調べます。"""
    from pipelines.checkpoints.adapted import applied_adapters
    from pipelines.checkpoints.source_expression import parse_terms
    from pipelines.checkpoints.source_uri import open_source_uri
    from pipelines.errors import RecipeError
    from pipelines.exporting.provenance import embedded_recipe
    from pipelines.storage.pickled import PICKLE_SUFFIXES
    from studio.library.adapter_notes import source_notes

    opened = open_source_uri(source)
    console.print_notes([note.text("en") for note in source_notes(opened)])
    carried = None
    if (
        opened.path.suffix not in PICKLE_SUFFIXES and not parse_terms(opened.uri)[1]
    ):  # a LoRA's base carries the base's recipe
        with contextlib.suppress(RecipeError):  # a stranger's header
            carried = embedded_recipe(opened.path)
    parts = [
        {
            "component": part.name,
            "tensors": len(part.tensors),
            "bytes": part.size,
            "dtypes": sorted({ref.stored for ref in part.tensors.values()}),
            "sha256": part.sha256,
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
        "recipe": carried.model_dump(mode="json", exclude_none=True) if carried else None,
        "components": parts,
    }
    if as_json:
        console.print_json(about)
        return
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
        table.add_row(part["component"], str(part["tensors"]), size, ", ".join(part["dtypes"]), part["sha256"][:16])  # type: ignore
    Console().print(table)
    for applied in applied_adapters(opened.components.values()):
        kinds = ", ".join(f"{kind} on {count} tensors" for kind, count in applied.adapter.kinds.items())
        said = f"{applied.scale!r} * {applied.path.name}: {kinds}, of {', '.join(applied.parts)}"
        Console().print(said, soft_wrap=True, highlight=False, markup=False)
    if carried:
        made_of = ", ".join(one.name for one in carried.sources)
        Console().print(f"carries the recipe it was made by, of {made_of}; --json prints it", soft_wrap=True)


@sources_app.command("compare")
def sources_compare(
    paths: Annotated[list[str], typer.Argument(metavar="SOURCE SOURCE...", help=SOURCE_FORMS)],
    as_json: Json = False,
) -> None:
    """Whether sources can be merged, and the angle between them. / 素材モデルどうしの相性（角度）を調べます。"""
    from studio.evaluation.score_model import compare_sources

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
