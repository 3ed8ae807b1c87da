"""Licences, and what a merge inherits: whose weights are in it, under which terms, and the texts that go along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.recipe import Recipe
from pipelines.sources import Source

from .i18n import Lang, words

_TEXTS = ("LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE")


@dataclass(frozen=True)
class Inherited:
    """One source's part in a merge; `parts` says what it gives."""

    name: str
    uri: str
    licence: str | None
    parts: tuple[str, ...]

    def duty(self, lang: Lang) -> str | None:
        """What its licence asks, in a few words; `None` where the licence is not known here."""
        return words(lang).get(f"duty_{(self.licence or '').lower()}")


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
            found.append(Inherited(named.name, named.uri, licence, tuple(dict.fromkeys(parts))))
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
