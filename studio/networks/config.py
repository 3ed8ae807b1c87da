"""What a run over any network is asked to do: one frozen object, read from YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from pipelines.architectures.keys import MODEL, REST
from pipelines.checkpoints.sources import Source, open_network
from pipelines.recipes.mergeable import check_mergeable
from pipelines.recipes.recipe import Recipe, blend
from studio.errors import ConfigError
from studio.plain_values import refused, with_changes
from studio.runs.config import (
    RESERVED,
    Alpha,
    Angle,
    ArchiveSize,
    Breeding,
    Evaluations,
    Frozen,
    HowToBreed,
    RunSettings,
    Seed,
    Start,
)
from studio.runs.config_file import read_settings

Function = Annotated[str, Field(pattern=r"^.+\.py:\w+$")]


class AnyConfig(RunSettings):
    """Everything a run depends on, beside what the person's functions do."""

    kind: Literal["any"] = Field("any", description="says that the run breeds any other network")
    sources: tuple[str, ...] = Field(min_length=2, description="what to breed: folders of safetensors files, or files")
    host: str | None = Field(
        None, description="source that lends integers, configuration and tokenizer; the first if left out"
    )
    chromosomes: dict[str, tuple[str, ...]] = Field(
        {}, description="glob patterns per chromosome; the first that matches takes a tensor, what is left is 'rest'"
    )
    frozen: Frozen = Field({})
    scorer: Function = Field(description="FILE.py:FUNCTION that gives a score per item: fitness")
    reporter: Function | None = Field(None, description="FILE.py:FUNCTION that scores other items, only to report")
    start: Start = None
    evaluations: Evaluations = 200
    archive: ArchiveSize = 20
    seed: Seed = 0
    alpha: Alpha = 1.0
    angle: Angle = "chromosome"
    breeding: HowToBreed = Breeding()

    @model_validator(mode="after")
    def _consistent(self) -> AnyConfig:
        if self.archive < len(self.sources):
            raise ValueError(
                f"archive holds {self.archive}; expected room for the {len(self.sources)} sources at least"
            )
        known = (*self.chromosomes, REST)
        for name in self.frozen:
            if name not in known:
                raise ValueError(f"frozen names {name!r}; expected one of {', '.join(known)}")
        if self.scorer == self.reporter:
            raise ValueError("scorer and reporter are the same; expected other items to report on than fitness has")
        return self

    def open_sources(self) -> dict[str, Source]:
        """Open the sources, by name, and refuse what cannot be merged.

        Raises:
            SourceError: a source cannot be opened or merged with the others.
            ConfigError: the host, what a chromosome is frozen to, or the base of task arithmetic is not among them; a
                name that reports use.
        """
        sources = [open_network(path) for path in self.sources]
        check_mergeable(sources)
        names = [source.name for source in sources]
        for name in (self.host, *self.frozen.values(), self.breeding.task_arithmetic):
            if name not in (None, *names):
                raise ConfigError("{name!r} is not among the sources {names}.", name=name, names=", ".join(names))
        for name in RESERVED:
            if name in names:
                raise ConfigError(
                    "A source is called {name!r}, which reports use for a row of their own; rename it.", name=name
                )
        return {source.name: source for source in sources}

    def bred(self, sources: Mapping[str, Source]) -> dict[str, Source]:
        """All of them: no network only lends."""
        return dict(sources)

    def weighted(self, sources: Mapping[str, Source], weights: Sequence[float], *, name: str) -> Recipe:
        """A recipe with the same weights in every chromosome that is bred.

        Raises:
            RecipeError: a pattern takes no tensor.
        """
        ordered, unit = list(sources.values()), dict(zip(sources, np.eye(len(sources)).tolist(), strict=True))
        patterns = self.chromosomes or None
        rows = {
            chromosome: unit[self.frozen[chromosome]] if chromosome in self.frozen else weights
            for chromosome in ordered[0].layouts([MODEL], patterns)
        }
        return blend(ordered, rows, host={"default": self.host or ordered[0].name}, name=name, patterns=patterns)


def load(path: Path, changes: Mapping[str, Any] | None = None) -> AnyConfig:
    """Read a run's YAML; relative paths in it are relative to the file.

    Args:
        path: the file, known to say `kind: any`.
        changes: values by field that replace what it says; `breeding.beta` is a field within another.

    Raises:
        ConfigError: no such file, not YAML, an unknown key, a value that does not fit.
    """
    content = read_settings(path)
    try:
        config = AnyConfig.model_validate(with_changes(content, changes or {}))
    except ValidationError as error:
        raise refused(error, str(path)) from error
    here = path.resolve().parent

    def placed(text: str) -> str:
        return os.path.abspath(here / os.path.expanduser(text))

    return config.model_copy(
        update={
            "sources": tuple(map(placed, config.sources)),
            "scorer": placed(config.scorer),
            "reporter": config.reporter and placed(config.reporter),
            "start": config.start and placed(config.start),
        }
    )
