"""Licences, and what a merge inherits: whose weights are in it, under which terms, and the texts that go along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.recipe import Recipe
from pipelines.sources import Source

_TEXTS = ("LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE")
_DUTIES = {
    "apache-2.0": "keep notices and the licence text; state changes",
    "mit": "keep the copyright notice and the licence text",
    "cc-by-4.0": "name the authors, link the licence, say that it was changed",
    "openrail++": "pass on the use restrictions and the licence text",
    "creativeml-openrail-m": "pass on the use restrictions and the licence text",
}


@dataclass(frozen=True)
class Inherited:
    """One source's part in a merge. `parts` says what it gives; `duty` what its licence asks, None where unknown."""

    name: str
    uri: str
    licence: str | None
    parts: tuple[str, ...]
    duty: str | None


def inherited(recipe: Recipe, sources: Mapping[str, Source]) -> list[Inherited]:
    """Every source that gives weights or lends a component, with its licence.

    Args:
        recipe: the merge.
        sources: its opened sources.
    """
    found = []
    for k, named in enumerate(recipe.sources):
        parts = [
            name
            for name, chromosome in recipe.chromosomes.items()
            if any(segment.weights[k] != 0 for segment in chromosome.segments)
        ]
        lent = ("text_encoder", "text_encoder_2", "vae", "tokenizer", "tokenizer_2", "scheduler")
        parts += [part for part in lent if part not in recipe.merged_components and recipe.lender(part) == named.name]
        if parts:
            licence = sources[named.name].licence
            duty = _DUTIES.get((licence or "").lower())
            found.append(Inherited(named.name, named.uri, licence, tuple(dict.fromkeys(parts)), duty))
    return found


def common_licence(entries: list[Inherited]) -> str:
    """The licence of the whole as a model card names it: the one they share, else `other`."""
    named = {entry.licence for entry in entries}
    only = named.pop() if len(named) == 1 else None
    return only or "other"


def licence_texts(entries: list[Inherited], sources: Mapping[str, Source]) -> dict[str, bytes]:
    """The licence files and cards that go along with an export, as file name to content."""
    texts = {}
    for entry in entries:
        for name in (*_TEXTS, "README.md"):
            file = sources[entry.name].path / name
            if file.is_file():
                texts[f"licences/{entry.name}/{name}"] = file.read_bytes()
    return texts
