"""`m2n2 recipe`: write a recipe by hand-picked weights, and fill hashes into one that was written without."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from . import console

recipe_app = typer.Typer(help="Recipes of merges, written by hand. / 手で書くレシピ。", no_args_is_help=True)


@recipe_app.command("blend")
def blend(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE SOURCE...", help="folders, files, hub ids")],
    out: Annotated[Path, typer.Option(help="the recipe file to write")],
    weights: Annotated[str | None, typer.Option(help="one per source: 0.7,0.3; equal if left out")] = None,
    attention: Annotated[str | None, typer.Option(help="weights of the attention layers, where they differ")] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE or PART=SOURCE",
            help="source that lends what is not merged, the first if left out; or, as vae=FILE, one part of it; may be "
            "repeated",
        ),
    ] = None,
    text_encoders: Annotated[bool, typer.Option("--text-encoders", help="merge the text encoders too")] = False,
) -> None:
    """Write the recipe of a weighted merge. / 重み付きマージのレシピを書きます。"""
    from pipelines.checkpoints.source_uri import open_source_uri
    from pipelines.errors import SourceError
    from pipelines.exporting.drafts import refuse_in_sources
    from pipelines.recipes.beside import with_places_beside
    from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict
    from pipelines.recipes.recipe import blend as blended
    from studio.library.adapter_notes import merge_notes
    from studio.library.host_choice import choose_hosts, refuse_poor_hosts
    from studio.licences.gate import clash_sentences
    from studio.licences.inheritance import inherited_licences

    opened_sources = [open_source_uri(source) for source in sources]
    try:
        chosen = choose_hosts(host or [], opened_sources)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    by_name = {source.name: source for source in opened_sources} | chosen.lenders
    everyone, lends_only = [*opened_sources, *chosen.lenders.values()], [0.0] * len(chosen.lenders)
    refuse_in_sources([out], everyone)
    count = len(opened_sources)
    rest = (_numbers("--weights", weights, count) or [1 / count] * count) + lends_only
    own = _numbers("--attention", attention, count)
    rows = {"attention": own + lends_only if own else rest, "backbone": rest}
    weighted = [source for k, source in enumerate(everyone) if any(row[k] for row in rows.values())]
    refuse_poor_hosts(chosen.host, by_name)
    names = [source.name for source in weighted]
    check_mergeable(everyone, weighted=names, host=chosen.host.get("unet", chosen.host["default"]))
    if text_encoders:
        encoding = [source for source, weight in zip(everyone, rest, strict=True) if weight]
        if reason := text_encoder_conflict(encoding):
            raise SourceError(f"The text encoders cannot be merged: {reason} Leave --text-encoders off.")
        rows |= {"text_encoder": rest, "text_encoder_2": rest}
    made = blended(everyone, rows, host=chosen.host, name=out.stem)
    notes = merge_notes(everyone, made.merged_components, made.lender)
    console.print_notes([note.text("en") for note in notes])
    with_places_beside(made, out).save(out)
    console.print_clashes(clash_sentences(made, inherited_licences(made, by_name)))
    print(out)


@recipe_app.command("pin")
def pin(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="a recipe file without hashes")],
    out: Annotated[Path, typer.Option(help="the recipe file to write")],
) -> None:
    """Open a recipe's sources and fill in their hashes. / レシピの素材モデルを開き、そのハッシュを書き込みます。"""
    from pipelines.exporting.drafts import refuse_in_sources
    from pipelines.recipes.beside import with_places_beside
    from pipelines.recipes.pinning import pin as pinned
    from pipelines.recipes.recipe import load_recipe
    from studio.library.model_reference import open_recipe_sources

    loaded = load_recipe(recipe, unpinned=True)
    opened = open_recipe_sources(loaded, relative_to=recipe.parent)
    refuse_in_sources([out], opened.values())
    with_places_beside(pinned(loaded, opened), out).save(out)
    print(out)


def _numbers(option: str, text: str | None, count: int) -> list[float] | None:
    if text is None:
        return None
    try:
        numbers = [float(part) for part in unicodedata.normalize("NFKC", text).replace("、", ",").split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise typer.BadParameter(f"{option} {text!r}: expected {count} numbers with commas, one a source, as 0.7,0.3.")
    return numbers
