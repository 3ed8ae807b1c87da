"""Weights of checkpoints per tensor, as a recipe: which components are merged, who lends the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.architectures.keys import COMPONENTS, MODEL, TEXT_ENCODERS
from pipelines.checkpoints.sources import Source
from pipelines.recipes.chromosome import Chromosome, Segment
from pipelines.recipes.component_hashes import component_hashes
from pipelines.recipes.crossover import merge_equal_neighbours
from pipelines.recipes.mergeable import text_encoder_conflict
from pipelines.recipes.recipe import Recipe, RecipeSource

from .tensor_names import FileTensorName


@dataclass(frozen=True)
class MadeRecipe:
    """What a recipe is made of.

    Attributes:
        sources: all checkpoints.
        tensors: what is merged.
        rows: float64 [tensors, sources], the weights.
        base: the checkpoint that lends what nobody else is asked for.
    """

    sources: tuple[Source, ...]
    tensors: tuple[FileTensorName, ...]
    rows: np.ndarray
    base: Source

    def recipe(self, name: str) -> Recipe:
        """Return the recipe, over those sources alone that have weight in it or lend something."""
        lenders = self._lenders
        used = [
            k
            for k, source in enumerate(self.sources)
            if source.name in lenders.values()
            or any(np.any(self._rows_of(component)[:, k] != 0) for component in self._merged)
        ]
        host = {"default": lenders["default"]}
        host |= {part: lender for part, lender in lenders.items() if lender != host["default"]}
        place = {
            (tensor.component, part): row
            for tensor, row in zip(self.tensors, self.rows, strict=True)
            for part in tensor.parts
        }
        layouts = self.sources[0].layouts(self._merged)
        chromosomes = {
            chromosome: Chromosome(
                size=layout.size,
                layout=layout.digest,
                segments=merge_equal_neighbours(
                    Segment(stop=int(stop), weights=tuple(place[layout.component, part][used].tolist()))
                    for part, stop in zip(layout.names, layout.stops, strict=True)
                ),
            )
            for chromosome, layout in layouts.items()
        }
        return Recipe(
            name=name,
            architecture=self.sources[0].recipe_architecture,
            sources=tuple(_named(self.sources[k]) for k in used),
            host=host,
            chromosomes=chromosomes,
        )

    def notes(self) -> list[str]:
        """Say what of the weights the recipe cannot hold."""
        notes = []
        for component in ("vae", *TEXT_ENCODERS):
            rows = self._rows_of(component)
            if component in self._merged or not len(rows) or _owner(rows) is not None:
                continue
            used = [source for k, source in enumerate(self.sources) if np.any(rows[:, k] != 0)]
            if len({source.components[component].sha256 for source in used}) > 1:
                why = self._conflict or "recipes leave the VAE whole"
                notes.append(
                    f"{component} is not merged, {self._lenders[component]} lends it: {why.rstrip('.')}. mergekit "
                    "would have merged it too."
                )
        return notes

    @cached_property
    def _conflict(self) -> str | None:
        """Why the text encoders cannot be merged."""
        return text_encoder_conflict(self.sources)

    @cached_property
    def _merged(self) -> tuple[str, ...]:
        """The components that become chromosomes: the network itself, and text encoders that are no one source's."""
        if self.sources[0].recipe_architecture == "any":
            return (MODEL,)
        mixed = [part for part in TEXT_ENCODERS if len(self._rows_of(part)) and _owner(self._rows_of(part)) is None]
        return ("unet", *(mixed if not mixed or self._conflict is None else ()))

    @cached_property
    def _lenders(self) -> dict[str, str]:
        """Who lends each component that is not merged: who has the most weight in it, by default the base."""
        if self.sources[0].recipe_architecture == "any":
            return {"default": self.base.name}
        whole = [source for source in (self.base, *self.sources) if all(source.lends(part) for part in COMPONENTS)]
        lenders = {"default": (whole[0] if whole else self.base).name}
        for component in ("vae", *TEXT_ENCODERS):
            rows = self._rows_of(component)
            if component not in self._merged and len(rows):
                lenders[component] = self.sources[int(np.argmax(np.abs(rows).sum(axis=0)))].name
        return lenders

    def _rows_of(self, component: str) -> np.ndarray:
        """Return the weights of the tensors of a component: float64 [its tensors, sources]."""
        return self.rows[[number for number, tensor in enumerate(self.tensors) if tensor.component == component]]


def _owner(rows: np.ndarray) -> int | None:
    """Return the source that all tensors are taken from whole; `None` where they are mixed."""
    first = int(np.argmax(rows[0]))
    one_hot = np.zeros(rows.shape[1])
    one_hot[first] = 1.0
    return first if bool(np.all(rows == one_hot)) else None


def _named(source: Source) -> RecipeSource:
    """Return a source as recipes name it."""
    return RecipeSource(
        name=source.name,
        uri=source.uri,
        licence=source.licence,
        sha256=component_hashes(source, source.components),
    )
