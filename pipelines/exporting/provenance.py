"""Where a merge comes from: what each source is made of, its licence, its ancestors, and the hashes it is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pipelines.checkpoints.civitai import CivitaiClaims, civitai_claims
from pipelines.checkpoints.folder_card import read_card, stated_licence
from pipelines.checkpoints.hub_names import HubId
from pipelines.checkpoints.source_expression import SourceExpression, parse_source, parse_terms
from pipelines.checkpoints.source_uri import hub_id
from pipelines.checkpoints.sources import Source
from pipelines.errors import M2N2Error
from pipelines.recipes.recipe import Recipe, load_recipe, parse_recipe
from pipelines.storage.files import cache_dir, read_sha256, write_whole
from pipelines.storage.tensor_file import TensorFile
from pipelines.untrusted import UnreadableDocument, parse_json
from pipelines.weaving.plan import Plan

RECIPE_KEY = "m2n2_recipe"  # in the header of a single file
# Bytes. Programs read the headers of all files they list, and some drop what is long.
HEADER_LIMIT = 1 << 20
_LEGACY = (0x100000, 0x10000)  # where A1111's first hash looks, and at how many bytes


@dataclass(frozen=True)
class Origin:
    """One thing that a source is made of: its base, or a LoRA on it.

    Attributes:
        name: what it is called.
        path: its folder or file on this disk.
        repo: its repository on the hub, if it is from there.
        home: the folder whose card and licence texts are its own; none for a file among others.
        licence: the one that its card or its header names.
        author: who made it, as far as hub, card, header or Civitai say so.
        licence_from: where that licence was read.
        civitai: what Civitai says of it.
    """

    name: str
    path: Path
    repo: str | None
    home: Path | None
    licence: str | None
    author: str | None = None
    licence_from: Literal["card", "header"] | None = None
    civitai: CivitaiClaims | None = None


def source_origins(source: Source) -> list[Origin]:
    """Return the base that a source is made of, and the LoRAs on it, in this order.

    Raises:
        SourceError: a LoRA's file is gone.
    """
    if source.uri == str(source.path):
        return [_origin(source.path, None, source.name, source.licence)]
    base, loras = parse_terms(source.uri)
    origins = [_origin(source.path, hub_id(base), source.name, source.licence)]
    for _, lora in loras:
        identifier = hub_id(lora)
        path = _lora_path(lora, identifier)
        origins.append(_origin(path, identifier, identifier.name if identifier else path.stem, None))
    return origins


def _lora_path(lora: str, identifier: HubId | None) -> Path:
    if identifier is None:
        return Path(lora)
    from pipelines.checkpoints import hub  # here, not above: few LoRAs are on the hub

    return hub.fetch(identifier)  # opened before, so it is in the cache


def merged_sources(recipe: Recipe) -> list[str]:
    """Return the names of the sources that have weight in a merge."""
    return [
        source.name
        for k, source in enumerate(recipe.sources)
        if any(segment.weights[k] != 0 for part in recipe.chromosomes.values() for segment in part.segments)
    ]


def contributing_sources(recipe: Recipe) -> list[str]:
    """Return the names of the sources whose weights are in a merge; those that only lend come last."""
    lenders = [recipe.lender(part) for part in ("text_encoder", "text_encoder_2", "vae")]
    return list(dict.fromkeys([*merged_sources(recipe), *lenders]))


def portable_recipe(plan: Plan) -> Recipe:
    """Return the recipe as it may leave this machine: hub ids stay, of paths on this disk only their last part does."""
    sources = [one.model_copy(update={"uri": portable_uri(plan.sources[one.name])}) for one in plan.recipe.sources]
    return plan.recipe.model_copy(update={"sources": tuple(sources)})


def portable_uri(source: Source) -> str:
    """Return a source's URI without a word on where this machine keeps it."""
    return source.path.absolute().name if source.uri == str(source.path) else uri_without_places(source.uri)


def recipe_without_places(recipe: Recipe) -> Recipe:
    """Return a recipe as it may leave this machine, as `portable_recipe`, of which the sources are not at hand."""
    sources = [one.model_copy(update={"uri": uri_without_places(one.uri)}) for one in recipe.sources]
    return recipe.model_copy(update={"sources": tuple(sources)})


def embedded_recipe(path: str | Path) -> Recipe | None:
    """Read the recipe that an exported checkpoint carries: a single file in its header, a folder as `recipe.json`.

    Returns:
        The recipe; `None` where there is none, or where it was too long for the header.

    Raises:
        SourceError: a damaged file.
        RecipeError: a recipe that cannot be read; says why.
    """
    path = Path(path)
    if path.is_dir():
        beside = path / "recipe.json"
        return load_recipe(beside) if beside.is_file() else None
    text = TensorFile(path).metadata.get(RECIPE_KEY)
    return parse_recipe(text, where=f"the recipe in {path}") if text else None


def ancestry_tables(plan: Plan, title: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make A1111's two tables: how a file was merged, and every model that it descends from, by SHA-256.

    A single file is known by the hash of the whole file, as everywhere. A folder, or a base with LoRAs in it, has none,
    and is known by the hash of its UNet's tensor bytes, as the recipe knows it.

    Args:
        plan: what is built.
        title: what it is called.

    Returns:
        Contents of `sd_merge_recipe` and `sd_merge_models`. Ancestors that a source's own header names are in the
        second one, unless it grew beyond `HEADER_LIMIT`: then only the sources are.
    """
    recipe, names = plan.recipe, contributing_sources(plan.recipe)
    keys: dict[str, str] = {}
    older: dict[str, Any] = {}
    direct: dict[str, Any] = {}
    for name in names:
        source = plan.sources[name]
        single = source.path.is_file() and len(source_origins(source)) == 1
        keys[name] = file_sha256(source.path) if single else _weights_sha256(source)
        merged, ancestors = _parents(source)
        older |= ancestors
        direct[keys[name]] = {
            "name": source.path.name if single else name,
            "legacy_hash": _legacy_hash(source.path) if single else None,
            "sd_merge_recipe": merged,
        }
    models = older | direct
    if len(json.dumps(models, ensure_ascii=False).encode()) > HEADER_LIMIT:
        models = {key: {**entry, "sd_merge_recipe": None} for key, entry in direct.items()}
    hashes = [*keys.values(), None, None, None]
    lineage = recipe.lineage.model_dump(mode="json", exclude_none=True) if recipe.lineage else {}
    return {
        "type": "m2n2-studio",
        **{f"{place}_model_hash": hashes[k] for k, place in enumerate(("primary", "secondary", "tertiary"))},
        "interp_method": "M2N2",
        "custom_name": title,
        "models": list(keys.values()),
        "shares": {part: [shares[name] for name in names] for part, shares in recipe.shares.items()},
        **{key: lineage[key] for key in ("splits", "ratios", "seed") if key in lineage},
    }, models


def file_sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a whole file, in hex, by which A1111 and Civitai know it (its first ten digits for short).

    Reads every byte once; the answer is cached by path, size and time of change.

    Args:
        path: the file.
        progress: told the bytes read so far.
    """
    entry = _file_hash_entry(path)
    if entry.exists():
        return entry.read_text()
    digest = read_sha256(path, progress)
    write_whole(entry, digest.encode())
    return digest


def note_file_sha256(path: Path, digest: str) -> None:
    """Let `file_sha256` know a hash that was computed while the file was written, so that nobody reads it for that.

    Raises:
        OSError: the cache cannot be written.
    """
    write_whole(_file_hash_entry(path), digest.encode())


def _file_hash_entry(path: Path) -> Path:
    """Return the cache file that keeps the hash of a file as it is now."""
    stat = path.stat()
    identity = json.dumps(["file", str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    return cache_dir() / "sha256" / hashlib.sha256(identity.encode()).hexdigest()


def _weights_sha256(source: Source) -> str:
    """Return the hash of a source's UNet, or of what it holds where that is another part alone."""
    part = "unet" if "unet" in source.components else next(iter(source.components))
    return source.components[part].sha256


def uri_without_places(uri: str) -> str:
    """Return a URI without a word on where this machine keeps what it names: hub ids stay, of paths the last part."""
    return _without_places(uri).uri


def text_without_places(text: str) -> str:
    """Return a source as a run file has it, with the name that a person gave it, as `uri_without_places`."""
    return _without_places(text).text


def _without_places(text: str) -> SourceExpression:
    written = parse_source(text)
    adapters = tuple((scale, _last_part(adapter)) for scale, adapter in written.adapters)
    return replace(written, base=_last_part(written.base), adapters=adapters)


def _last_part(place: str) -> str:
    """Return a hub id as it is, and of a path its last part."""
    return place if hub_id(place) else Path(place).name


def _origin(path: Path, identifier: HubId | None, name: str, licence: str | None) -> Origin:
    """Return what is known of a base or a LoRA from its hub id, its card and its header."""
    repo, home = None, path if path.is_dir() else None
    if identifier:
        repo = identifier.repo
        home = path.parents[len(PurePosixPath(identifier.file).parts) - 1] if identifier.file else path
    card = read_card(home) if home else {}
    header = TensorFile(path).metadata if path.suffix.lower() == ".safetensors" and path.is_file() else {}
    claims = civitai_claims(path) if path.is_file() and not repo else None
    author = repo.split("/")[0] if repo else card.get("author") or header.get("modelspec.author")
    author = author or (claims.creator if claims else None)
    stated = licence or stated_licence(card, header)
    return Origin(
        name,
        path,
        repo,
        home,
        stated,
        author and str(author),
        licence_from=("card" if stated_licence(card, {}) else "header") if stated else None,
        civitai=claims,
    )


def _parents(source: Source) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return how a source was merged itself, and its own ancestors, as far as its header or its recipe says so."""
    metadata = source.contents.metadata
    if metadata:
        models = {key: entry for key, entry in _table(metadata, "sd_merge_models").items() if isinstance(entry, dict)}
        if len(source_origins(source)) > 1:
            return {"type": "m2n2-studio", "custom_name": portable_uri(source)}, models
        return _table(metadata, "sd_merge_recipe") or None, models
    with suppress(M2N2Error):  # a recipe that cannot be read is no reason not to merge what it made
        if source.path.is_dir() and (recipe := embedded_recipe(source.path)):
            inherited = [one for one in recipe.sources if one.name in contributing_sources(recipe)]
            models = {
                one.sha256.get("unet", next(iter(one.sha256.values()))): {
                    "name": one.name,
                    "legacy_hash": None,
                    "sd_merge_recipe": None,
                }
                for one in inherited
            }
            return {"type": "m2n2-studio", "custom_name": recipe.name, "models": list(models)}, models
    return None, {}


def _table(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """Return a JSON object in a header that anybody may have written; empty where it is none."""
    with suppress(UnreadableDocument):
        content = parse_json(metadata.get(key, ""))
        if isinstance(content, dict):
            return content
    return {}


def _legacy_hash(path: Path) -> str:
    """Return the eight digits by which A1111 once knew a file: of a SHA-256 over a few kilobytes of it."""
    with open(path, "rb") as file:
        file.seek(_LEGACY[0])
        return hashlib.sha256(file.read(_LEGACY[1])).hexdigest()[:8]
