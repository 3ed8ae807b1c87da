"""The recipe file: what an individual is. Types, JSON, validation.

A recipe names its sources by hash and says, for every stretch of every chromosome, how much of each source it holds:

    child[i] = sum over k of W[segment(i), k] * source_k[i]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, ValidationInfo, model_validator

from pipelines.architectures.keys import (
    ATTENTION,
    BACKBONE,
    COMPONENTS,
    MODEL,
    REST,
    SDXL_UNET,
    TEXT_ENCODERS,
    Patterns,
    component_of,
)
from pipelines.errors import RecipeError, short, unreadable
from pipelines.storage.files import write_whole
from pipelines.untrusted import UnreadableDocument, parse_json, read_text

from .lineage import Lineage
from .statement import LicenceStatement

if TYPE_CHECKING:  # reading a recipe takes no torch
    from pipelines.checkpoints.sources import Source

FORMAT: Literal["m2n2-recipe"] = "m2n2-recipe"
VERSION: Literal[1] = 1

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _FrozenModel(BaseModel):
    """A part of the recipe file that does not change and refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WeightedSpan(NamedTuple):
    """A run of elements that holds the same weight of each source: from `start` on, up to but not including `stop`."""

    start: int
    stop: int
    weights: tuple[float, ...]


class RecipeSource(_FrozenModel):
    """A source as a recipe names it: by the SHA-256 of the tensor bytes of each component."""

    name: str
    uri: str
    licence: str | None = None
    sha256: dict[str, Sha256] = {}


class Segment(_FrozenModel):
    """A stretch of a chromosome with one weight per source; it ends before element `stop`."""

    stop: Annotated[int, Field(gt=0)]
    weights: tuple[FiniteFloat, ...]


class Chromosome(_FrozenModel):
    """A group of parameters flattened in canonical order: `size` elements, cut into segments."""

    size: Annotated[int, Field(gt=0)]
    layout: Sha256 | None = None
    segments: tuple[Segment, ...]

    @model_validator(mode="after")
    def _check_cover(self) -> Chromosome:
        stops = [segment.stop for segment in self.segments]
        if stops != sorted(set(stops)) or not stops or stops[-1] != self.size:
            raise ValueError(f"segment stops must rise and end at size {self.size}, found {stops}")
        return self

    def mean_weights(self) -> list[float]:
        """Return the mean weight of each source over all elements."""
        lengths = np.diff([segment.stop for segment in self.segments], prepend=0)
        means: list[float] = (lengths @ np.array([segment.weights for segment in self.segments]) / self.size).tolist()
        return means

    def spans_within(self, start: int, stop: int) -> Iterator[WeightedSpan]:
        """Yield the segments that overlap elements `start` to `stop`, cut to them, in rising order."""
        for segment in self.segments:
            if segment.stop > start:
                end = min(segment.stop, stop)
                yield WeightedSpan(start, end, segment.weights)
                if end == stop:
                    return
                start = end


class Recipe(_FrozenModel):
    """An individual: sources by hash, host, weights per chromosome, lineage.

    `patterns` group the tensors of any network, or regroup a UNet's: globs per chromosome, the first that matches a
    tensor takes it, and what none takes is the chromosome `rest`.
    """

    format: Literal["m2n2-recipe"] = FORMAT
    version: Literal[1] = VERSION
    name: str = ""
    architecture: Literal["sdxl-unet", "any"] = SDXL_UNET
    sources: Annotated[tuple[RecipeSource, ...], Field(min_length=1)]
    host: dict[str, str]
    patterns: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] | None = None
    chromosomes: dict[str, Chromosome]
    lineage: Lineage | None = None
    licence_statement: LicenceStatement | None = None

    @model_validator(mode="after")
    def _check_consistency(self, info: ValidationInfo) -> Recipe:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"sources must have names of their own, found {names}")
        if "default" not in self.host:
            raise ValueError("host must name a source for 'default'")
        components = COMPONENTS if self.architecture == SDXL_UNET else (MODEL,)
        for part, lender in self.host.items():
            if part not in ("default", *components):
                raise ValueError(f"host names the unknown component {part!r}; known: default, {', '.join(components)}")
            if lender not in names:
                raise ValueError(f"host.{part} names {lender!r}, which is not among the sources {names}")
        needed, allowed = self._chromosome_names()
        if not set(needed) <= set(self.chromosomes):
            raise ValueError(
                f"chromosomes must hold {' and '.join(map(repr, needed))}, found {sorted(self.chromosomes)}"
            )
        for name, chromosome in self.chromosomes.items():
            if name not in allowed:
                raise ValueError(f"unknown chromosome {name!r}")
            part = component_of(name, self.architecture)
            unhashed = [source for source in self.sources if part not in source.sha256]
            if unhashed and not (info.context or {}).get("unpinned"):
                raise ValueError(
                    f"source {unhashed[0].name!r} lacks the sha256 of {part}; `m2n2 recipe pin` opens the sources and "
                    "fills it in"
                )
            for segment in chromosome.segments:
                if len(segment.weights) != len(names):
                    raise ValueError(
                        f"chromosome {name}: expected {len(names)} weights, one a source, found {len(segment.weights)}"
                    )
        return self

    def _chromosome_names(self) -> tuple[list[str], list[str]]:
        """Return the chromosomes that there must be, and those that there may be."""
        others = list(TEXT_ENCODERS) if self.architecture == SDXL_UNET else []
        if self.patterns is None:
            needed = [ATTENTION, BACKBONE] if self.architecture == SDXL_UNET else [REST]
            return needed, [*needed, *others]
        for name in (REST, *others):
            if name in self.patterns:
                raise ValueError(f"patterns are given for {name!r}, which has none; give that chromosome another name")
        return list(self.patterns) or [REST], [*self.patterns, REST, *others]

    def lender(self, component: str) -> str:
        """Return the name of the source that lends a component."""
        return self.host.get(component, self.host["default"])

    @property
    def merged_components(self) -> tuple[str, ...]:
        """The components that chromosomes belong to."""
        return tuple(dict.fromkeys(component_of(name, self.architecture) for name in self.chromosomes))

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """The mean weight over all elements, by chromosome and source."""
        names = [source.name for source in self.sources]
        return {
            name: dict(zip(names, chromosome.mean_weights(), strict=True))
            for name, chromosome in self.chromosomes.items()
        }

    @property
    def digest(self) -> str:
        """The SHA-256, in hex, of what decides the weights: sources' hashes, host, chromosomes; no names or lineage."""
        content: dict[str, object] = {
            "sources": [source.sha256 for source in self.sources],
            "host": {
                part: [source.name for source in self.sources].index(lender) for part, lender in self.host.items()
            },
            "chromosomes": self.model_dump(mode="json", include={"chromosomes"})["chromosomes"],
        }
        if self.patterns is not None:
            content["patterns"] = list(self.patterns.items())  # pairs: their order counts
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the recipe file's text; floats are written so that they read back to the same bits."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), ensure_ascii=False, indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the recipe file, whole or not at all."""
        write_whole(Path(path), self.to_json().encode())


def parse_recipe(text: str, *, where: str = "the recipe", unpinned: bool = False) -> Recipe:
    """Read a recipe from JSON.

    Args:
        text: the file's content.
        where: what to call it in messages.
        unpinned: whether hashes of merged components may be missing; `pin` fills them in.

    Raises:
        RecipeError: not JSON, another format, a newer version, an unknown key, weights that do not fit; says where.
    """
    try:
        content = parse_json(text)
    except UnreadableDocument as error:
        reason = f"is not JSON ({unreadable(error)}). Expected a recipe file (version {VERSION})."
        raise RecipeError(f"{where} {reason}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = short(content.get("format")) if isinstance(content, dict) else repr(type(content).__name__)
        raise RecipeError(f"{where} has the format {found}. Expected {FORMAT!r}.")
    if content.get("version") != VERSION:
        raise RecipeError(
            f"{where} has version {content.get('version')!r}; this program reads version {VERSION}. "
            "If it is newer, update m2n2-studio: pip install --upgrade m2n2-studio."
        )
    try:
        return Recipe.model_validate(content, context={"unpinned": unpinned})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        reason = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise RecipeError(f"{where}, at {place}: {reason}. Mend that entry, or export the recipe again.") from error


def load_recipe(path: str | Path, *, unpinned: bool = False) -> Recipe:
    """Read a recipe file; `unpinned` as in `parse_recipe`.

    Raises:
        RecipeError: no such file, or see `parse_recipe`.
    """
    try:
        text = read_text(path)
    except (OSError, UnreadableDocument) as error:
        raise RecipeError(f"{path} cannot be read ({unreadable(error)}). Expected a recipe file in JSON.") from error
    return parse_recipe(text, where=str(path), unpinned=unpinned)


def blend(
    sources: Sequence[Source],
    weights: Mapping[str, Sequence[float]],
    *,
    host: Mapping[str, str],
    name: str = "",
    patterns: Patterns | None = None,
) -> Recipe:
    """Make a recipe with one segment per chromosome: an ordinary weighted merge; one-hot weights are a source itself.

    Args:
        sources: the sources, in the order of the weights.
        weights: one weight per source for each chromosome, such as `{"attention": [0.5, 0.5], "backbone": [1, 0]}`.
        host: which source lends what is not merged; see DESIGN of the recipe: `{"default": name}`.
        name: what to call the result.
        patterns: how to group the tensors, if not as a UNet's attention and backbone; see `Recipe`.
    """
    architecture = sources[0].recipe_architecture
    layouts = sources[0].layouts(dict.fromkeys(component_of(one, architecture) for one in weights), patterns)
    return Recipe(
        name=name,
        architecture=architecture,
        sources=tuple(
            RecipeSource(
                name=source.name,
                uri=source.uri,
                licence=source.licence,
                sha256={part: source.components[part].sha256 for part in sorted(source.components)},
            )
            for source in sources
        ),
        host=dict(host),
        patterns=None if patterns is None else {part: tuple(globs) for part, globs in patterns.items()},
        chromosomes={
            chromosome: Chromosome(
                size=layouts[chromosome].size,
                layout=layouts[chromosome].digest,
                segments=(Segment(stop=layouts[chromosome].size, weights=tuple(map(float, row))),),
            )
            for chromosome, row in weights.items()
        },
    )
