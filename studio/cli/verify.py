"""`m2n2 verify` and `m2n2 clean`: whether an export is what it was, and what killed processes left half-written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from . import console
from .options import Json

SHOWN = 20  # differences that are printed


def verify(
    export: Annotated[
        Path, typer.Argument(metavar="EXPORT", help="an export's folder, or its .safetensors with NAME.about beside it")
    ],
    hashes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="compare with hashes.json of a recipe-only export, not sources")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="also read every byte of the sources and hash it again, without the cache")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare an export with its recipe, bit for bit, and its papers. / 書き出しをレシピと全ビット照合します。"""
    from studio.exporting.registry import open_export
    from studio.exporting.verification import verify_export, verify_hashes
    from studio.i18n import t

    if hashes and deep:
        raise typer.BadParameter("--hashes compares with no sources: expected it without --deep.")
    written = open_export(export)
    with console.bytes_progress("comparing") as progress:
        verification = (
            verify_hashes(written, hashes, progress) if hashes else verify_export(written, progress, deep=deep)
        )
    if as_json:
        console.print_json(verification.as_json())
    else:
        table = Table("component", "expected", "found", "", title=str(export))
        for part, digest in verification.expected.items():
            found = verification.found[part]
            table.add_row(part, digest[:16], found[:16], "same bytes" if digest == found else "differs")
        Console().print(table)
        sentences = verification.sentences("en")
        for sentence in sentences[:SHOWN]:
            console.errors.print(sentence, highlight=False, markup=False, soft_wrap=True)
        if (more := len(sentences) - SHOWN) > 0:
            console.errors.print(f"and {more} more; --json lists them all", highlight=False)
        if "files" in verification.unchecked:
            console.errors.print(t("en", "verify_unchecked_files"), highlight=False, soft_wrap=True)
    if not verification.same:
        raise typer.Exit(1)


def clean(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER...", help="where to look, and in folders below; here if left out"),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="remove what is found")] = False,
    as_json: Json = False,
) -> None:
    """List what killed processes left half-written, and remove it. / 途中で止まった書き込みの残りを片づけます。"""
    from pipelines.storage.unfinished import leftovers, remove_leftover
    from studio.formatting import format_bytes

    for folder in folders or ():
        if not folder.is_dir():
            raise typer.BadParameter(f"{folder}: expected a folder.")
    found = [leftover for folder in folders or [Path()] for leftover in leftovers(folder)]
    for leftover in found if remove else ():
        remove_leftover(leftover)
    if as_json:
        entries = [{"path": str(one.path), "name": one.name, "bytes": one.size} for one in found]
        console.print_json({"leftovers": entries, "removed": remove})
        return
    for leftover in found:
        print(f"{leftover.path} ({format_bytes(leftover.size)}, was to be {leftover.name})")
    if not found:
        print("nothing half-written")
    elif not remove:
        console.errors.print("`m2n2 clean --remove` removes it.", highlight=False)
