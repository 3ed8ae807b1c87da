"""`m2n2 verify`: whether an export holds what its recipe gives, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from . import console
from .options import Json


def verify(
    export: Annotated[
        Path, typer.Argument(metavar="EXPORT", help="an export's folder, or its .safetensors with NAME.about beside it")
    ],
    hashes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="compare with hashes.json of a recipe-only export, not sources")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rebuild an export from its recipe and compare every bit. / レシピから作り直し、全ビットを照合します。"""
    from studio.exporting.registry import open_export
    from studio.exporting.verification import verify_export, verify_hashes

    written = open_export(export)
    with console.bytes_progress("comparing") as progress:
        verification = verify_hashes(written, hashes, progress) if hashes else verify_export(written, progress)
    if as_json:
        console.print_json(verification.as_json())
    else:
        table = Table("component", "expected", "found", "", title=str(export))
        for part, digest in verification.expected.items():
            found = verification.found[part]
            table.add_row(part, digest[:16], found[:16], "same bytes" if digest == found else "differs")
        Console().print(table)
        for name in (*verification.differing[:10], *verification.configs[:10]):
            console.errors.print(f"differs: {name}", highlight=False, markup=False)
    if not verification.same:
        raise typer.Exit(1)
