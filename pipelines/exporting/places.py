"""Where this machine keeps what an export was made from: noted in its cache, for what is exported carries no path.

A note is found by what the export knows: the hashes of a source's weights. It may be out of date, so what is found by
it is checked as any other source is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.checkpoints.hub_names import parse_hub_id
from pipelines.recipes.recipe import RecipeSource
from pipelines.storage.files import cache_dir, write_whole
from pipelines.untrusted import UnreadableDocument, parse_json, read_json
from pipelines.weaving.plan import Plan

_FOLDER = "places"
_PLACES_KEPT = 8  # of one source's weights
_PLACE_KEYS = ("_name_or_path", "name_or_path")  # diffusers and transformers write their model's place there


def note_sources(plan: Plan) -> None:
    """Note where each source of a plan lies; where the same weights lay before is kept behind it."""
    for named in plan.recipe.sources:
        source = plan.sources[named.name]
        is_path = source.uri == str(source.path)
        uri = str(source.path.absolute()) if is_path else source.uri
        uris = [uri, *(before for before in noted_uris(named) if before != uri)][:_PLACES_KEPT]
        _write_note(source_key(named), {"uris": uris})


def noted_uris(named: RecipeSource) -> list[str]:
    """Return the URIs under which this machine had the weights of a source, the last one first."""
    note = _read_note(source_key(named)) if named.sha256 else {}
    uris = note.get("uris", [])
    return [str(uri) for uri in uris] if isinstance(uris, list) else []


def note_place(key: str, places: Mapping[str, str]) -> None:
    """Note places by name under a key; a former note under it is replaced.

    Raises:
        OSError: the cache cannot be written.
    """
    _write_note(key, places)


def noted_place(key: str) -> dict[str, str]:
    """Return the places noted under a key; none where there is no note, or none that can be read."""
    return {name: str(place) for name, place in _read_note(key).items()}


def _write_note(key: str, note: Mapping[str, Any]) -> None:
    write_whole(cache_dir() / _FOLDER / f"{key}.json", json.dumps(dict(note), ensure_ascii=False).encode())


def _read_note(key: str) -> dict[str, Any]:
    try:
        content = read_json(cache_dir() / _FOLDER / f"{key}.json")
    except (OSError, UnreadableDocument):
        return {}
    return content if isinstance(content, dict) else {}


def source_key(named: RecipeSource) -> str:
    """Return what a source is known by here: the SHA-256, in hex, of the hashes of all its components."""
    return hashlib.sha256(json.dumps(named.sha256, sort_keys=True).encode()).hexdigest()


def without_places(document: Path) -> bytes:
    """Read a document of a source; of a configuration without the keys by which its writer noted a folder."""
    content = document.read_bytes()
    if document.suffix != ".json" or not any(key.encode() in content for key in _PLACE_KEYS):
        return content
    try:
        configuration = parse_json(content)
    except UnreadableDocument:
        return content
    kept = portable_configuration(configuration) if isinstance(configuration, dict) else configuration
    return content if kept == configuration else (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()


def portable_configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out where a configuration was saved from, if that is a path of somebody's disk and no hub id."""
    return {
        key: value
        for key, value in configuration.items()
        if key not in _PLACE_KEYS or not {"/", "\\"} & set(str(value)) or parse_hub_id(str(value))
    }
