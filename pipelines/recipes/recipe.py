"""The recipe file: what an individual is. Types, JSON, validation.

A recipe names its sources by hash and says, for every stretch of every chromosome, how much of each source it holds:

    child[i] = sum over k of W[segment(i), k] * source_k[i]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, ValidationInfo, model_validator

from pipelines.architectures.keys import (
    ATTENTION,
    BACKBONE,
    COMPONENTS,
    MODEL,
    REST,
    SDXL_UNET,
    TEXT_ENCODERS,
    WEIGHTED_COMPONENTS,
    Layout,
    Patterns,
    component_of,
)
from pipelines.errors import Phrase, RecipeError, short, unreadable
from pipelines.storage.files import write_whole
from pipelines.untrusted import UnreadableDocument, parse_json, read_text

from .chromosome import Chromosome, FrozenModel, Segment, Sha256
from .component_hashes import component_hashes
from .lineage import Lineage
from .statement import LicenceStatement

if TYPE_CHECKING:  # reading a recipe takes no torch
    from pipelines.checkpoints.sources import Source

FORMAT: Literal["m2n2-recipe"] = "m2n2-recipe"
VERSION: Literal[1] = 1


class RecipeSource(FrozenModel):
    """A source as a recipe names it: by the SHA-256 of the tensor bytes of each component."""

    name: str
    uri: str
    licence: str | None = None
    sha256: dict[str, Sha256] = Field(default_factory=dict)


class Recipe(FrozenModel):
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
            for segment in chromosome.segments:
                if len(segment.weights) != len(names):
                    raise ValueError(
                        f"chromosome {name}: expected {len(names)} weights, one a source, found {len(segment.weights)}"
                    )
        for name in self.chromosomes:
            part = component_of(name, self.architecture)
            weighted = self.weighted_sources(part)
            unhashed = [one for one in self.sources if one.name in weighted and part not in one.sha256]
            if unhashed and not (info.context or {}).get("unpinned"):
                raise ValueError(
                    f"source {unhashed[0].name!r} lacks the sha256 of {part}; `m2n2 recipe pin` opens the sources and "
                    "fills it in"
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

    def weighted_sources(self, component: str) -> tuple[str, ...]:
        """Return the names of the sources that have weight in a component, in order; others need not have it."""
        segments = [
            segment.weights
            for name, chromosome in self.chromosomes.items()
            if component_of(name, self.architecture) == component
            for segment in chromosome.segments
        ]
        weighted = np.any(np.array(segments, dtype=float).reshape(-1, len(self.sources)) != 0.0, axis=0)
        return tuple(source.name for source, has_weight in zip(self.sources, weighted, strict=True) if has_weight)

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
        raise RecipeError(
            "{where} is not JSON ({reason}). Expected a recipe file (version {version}).",
            where=where,
            reason=unreadable(error),
            version=VERSION,
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = short(content.get("format")) if isinstance(content, dict) else repr(type(content).__name__)
        raise RecipeError(
            "{where} has the format {found}. Expected {format!r}.", where=where, found=found, format=FORMAT
        )
    if content.get("version") != VERSION:
        raise RecipeError(
            "{where} has version {version!r}; this program reads version {expected}. "
            "If it is newer, update m2n2-studio: pip install --upgrade m2n2-studio.",
            where=where,
            version=content.get("version"),
            expected=VERSION,
        )
    try:
        return Recipe.model_validate(content, context={"unpinned": unpinned})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or Phrase("the whole")
        reason = Phrase("unknown key") if first["type"] == "extra_forbidden" else first["msg"]
        raise RecipeError(
            "{where}, at {place}: {reason}. Mend that entry, or export the recipe again.",
            where=where,
            place=place,
            reason=reason,
        ) from error


def load_recipe(path: str | Path, *, unpinned: bool = False) -> Recipe:
    """Read a recipe file; `unpinned` as in `parse_recipe`.

    Raises:
        RecipeError: no such file, or see `parse_recipe`.
    """
    try:
        text = read_text(path)
    except (OSError, UnreadableDocument) as error:
        raise RecipeError(
            "{path} cannot be read ({reason}). Expected a recipe file in JSON.", path=path, reason=unreadable(error)
        ) from error
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
    by_name = {source.name: source for source in sources}
    layouts: dict[str, Layout] = {}
    for part in dict.fromkeys(component_of(one, architecture) for one in weights):
        layouts |= by_name[host.get(part, host["default"])].layouts([part], patterns)
    needed = {
        source.name: {source.component(component_of(one, architecture)).name for one, row in weights.items() if row[k]}
        | {part for part in WEIGHTED_COMPONENTS if host.get(part, host["default"]) == source.name}
        for k, source in enumerate(sources)
    }
    return Recipe(
        name=name,
        architecture=architecture,
        sources=tuple(
            RecipeSource(
                name=source.name,
                uri=source.uri,
                licence=source.licence,
                sha256=component_hashes(source, needed[source.name]),
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
