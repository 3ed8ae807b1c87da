"""`m2n2 recipe`: recipes by hand-picked weights, hashes for those without, and mergekit's YAML in and out."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import LicenceReason, StatedBy, licence_statement

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
    normalize: Annotated[
        bool | None,
        typer.Option(
            "--normalize/--no-normalize",
            help="divide weights by their sum; --no-normalize takes them as they are; a sum far from 1 asks for one of "
            "the two",
        ),
    ] = None,
) -> None:
    """Write the recipe of a weighted merge. / 重み付きマージのレシピを書きます。"""
    from pipelines.checkpoints.source_uri import open_source_uri
    from pipelines.errors import SourceError
    from pipelines.exporting.drafts import refuse_in_sources
    from pipelines.recipes.beside import with_places_beside
    from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict
    from pipelines.recipes.recipe import blend as blended
    from studio.library.host_choice import choose_hosts, refuse_poor_hosts
    from studio.library.merge_notes import recipe_notes
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
    rest = (_weights("--weights", weights, count, normalize) or [1 / count] * count) + lends_only
    own = _weights("--attention", attention, count, normalize)
    rows = {"attention": own + lends_only if own else rest, "backbone": rest}
    weighted = [source for k, source in enumerate(everyone) if any(row[k] for row in rows.values())]
    refuse_poor_hosts(chosen.host, by_name)
    names = [source.name for source in weighted]
    check_mergeable(everyone, weighted=names, host=chosen.host.get("unet", chosen.host["default"]))
    if text_encoders:
        encoding = [source for source, weight in zip(everyone, rest, strict=True) if weight]
        if reason := text_encoder_conflict(encoding):
            raise SourceError("The text encoders cannot be merged: {reason} Leave --text-encoders off.", reason=reason)
        rows |= {"text_encoder": rest, "text_encoder_2": rest}
    made = blended(everyone, rows, host=chosen.host, name=out.stem)
    console.print_notes([note.text("en") for note in recipe_notes(made, by_name)])
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
    from studio.library.merge_notes import recipe_notes
    from studio.library.model_reference import open_recipe_sources

    loaded = load_recipe(recipe, unpinned=True)
    opened = open_recipe_sources(loaded, relative_to=recipe.parent)
    refuse_in_sources([out], opened.values())
    made = pinned(loaded, opened)
    console.print_notes([note.text("en") for note in recipe_notes(made, opened)])
    with_places_beside(made, out).save(out)
    print(out)


@recipe_app.command("import")
def import_yaml(
    merge: Annotated[Path, typer.Argument(metavar="YAML", help="mergekit's YAML, of one merge or of several")],
    out: Annotated[Path, typer.Option(help="the recipe file to write")],
    seed: Annotated[int, typer.Option(min=0, help="random seed of dare and della")] = 0,
    licence_reason: LicenceReason = None,
    stated_by: StatedBy = None,
) -> None:
    """Turn mergekit's YAML into a recipe; ties and its kin are woven once. / mergekit の YAML を読み込みます。"""
    from pipelines.checkpoints.sources import Source
    from pipelines.interchange.importing import WovenMerge, import_documents
    from pipelines.interchange.reading import read_documents
    from pipelines.recipes.beside import with_places_beside
    from studio.exporting.woven_source import weave_merge
    from studio.library.merge_notes import recipe_notes
    from studio.licences.gate import clash_sentences
    from studio.licences.inheritance import inherited_licences

    statement = licence_statement(licence_reason, stated_by)

    def weave(woven: WovenMerge) -> Source:
        part = f"-{woven.document.name}" if woven.document.name else ""
        target = out.with_name(f"{out.stem}{part}.safetensors").absolute()
        with console.ends_tidily(), console.bytes_progress(f"weaving {target.name}") as progress:
            made = weave_merge(woven, target, seed=seed, statement=statement, progress=progress)
        console.print_facts([f"{woven.document.method.name} was woven to {target}"])
        return made

    imported = import_documents(read_documents(merge), name=out.stem, relative_to=merge.parent, weave=weave)
    sources = {one.name: imported.sources[one.name] for one in imported.recipe.sources}
    console.print_notes([*imported.notes, *(note.text("en") for note in recipe_notes(imported.recipe, sources))])
    with_places_beside(imported.recipe, out).save(out)
    console.print_clashes(clash_sentences(imported.recipe, inherited_licences(imported.recipe, sources)))
    print(out)


@recipe_app.command("export")
def export_recipe(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="a recipe file")],
    out: Annotated[Path, typer.Option(help="the YAML to write")],
    mergekit: Annotated[bool, typer.Option("--mergekit", help="as YAML for mergekit-pytorch")] = False,
) -> None:
    """Write a recipe for another program. / レシピを別のプログラム用に書き出します。"""
    from pipelines.exporting.drafts import refuse_in_sources
    from pipelines.interchange.exporting import export_yaml
    from pipelines.recipes.recipe import load_recipe
    from pipelines.storage.files import write_whole
    from studio.library.model_reference import open_recipe_networks, open_recipe_sources

    if not mergekit:
        raise typer.BadParameter("A recipe is exported for another program: expected --mergekit, the only one so far.")
    loaded = load_recipe(recipe)
    opens = open_recipe_networks if loaded.architecture == "any" else open_recipe_sources
    opened = opens(loaded, relative_to=recipe.parent)
    refuse_in_sources([out], opened.values())
    exported = export_yaml(loaded, opened, out.parent)
    console.print_notes(exported.notes())
    write_whole(out, exported.text.encode())
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


def _weights(option: str, text: str | None, count: int, normalize: bool | None) -> list[float] | None:
    """Read weights; refuse a sum that nobody means who has not said so."""
    from pipelines.recipes.weight_sums import is_far_sum, normalized

    numbers = _numbers(option, text, count)
    if numbers is None or normalize is False or not (normalize or is_far_sum(numbers)):
        return numbers
    total = sum(numbers)
    if normalize and abs(total) > 1e-9:
        return normalized(numbers)
    if normalize:
        raise typer.BadParameter(f"{option} {text!r}: these add up to 0, which nothing can be divided by.")
    shown = ",".join(f"{number / total:.3g}" for number in numbers) if abs(total) > 1e-9 else ""
    mend = f"write {shown}, or add --normalize to divide by the sum" if shown else "give one source a weight"
    raise typer.BadParameter(
        f"{option} {text!r}: these add up to {total:g}, so the network would be {total:g} times what it is. Expected "
        f"about 1: {mend}. --no-normalize takes them as they are."
    )
