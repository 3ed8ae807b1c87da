"""What a run is asked to do: one frozen object; run files, the command line and the page's form are its views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

import assets
from eval.prompts.prompt_set import Language
from eval.scorers import names
from eval.scorers.catalogue import REPORTER, SCORER
from pipelines.architectures.keys import ATTENTION, BACKBONE, COMPONENTS, REST, TEXT_ENCODERS
from pipelines.errors import InvalidValue
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.crossover import AngleScope
from pipelines.recipes.lenders import PART_GROUPS, named_host, part_by_part, without_lenders
from pipelines.recipes.recipe import Recipe, blend
from pipelines.storage.files import write_whole
from studio.evolution.niches import MAX_ALPHA
from studio.jobs.worker_count import WorkerCount, are_several
from studio.plain_values import refused, with_changes

if TYPE_CHECKING:  # a run is read without torch
    from pipelines.checkpoints.sources import Source

FitnessKind = Literal["text", "image"]
EMBEDDED_PICTURES = GenerationSettings(steps=6, batch=33)  # two batches for the 65 captions; 8 steps score alike
RESERVED = ("average", "child")  # rows of every report


class Breeding(BaseModel):
    """How offspring are made, where that differs from the paper: the defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attraction: bool = Field(True, description="the father by what he adds to the mother; else by fitness, like her")
    compatibility: float = Field(
        0.0, ge=0, description="attraction times exp(-this * angle / mean angle) between the mates; 0 is off"
    )
    split_points: int = Field(1, ge=0, le=16, description="split points per chromosome, at most")
    split_growth: int = Field(
        0, ge=0, description="begin with one split point and allow one more every so many offspring; 0: all at once"
    )
    guided: bool = Field(False, description="split where splits paid: where offspring won a place in a full archive")
    beta: float = Field(1.0, gt=0, description="mixing ratios from Beta(this, this); 1 is uniform, more is nearer half")
    one_ratio: bool = Field(False, description="one mixing ratio for all chromosomes")
    step: float = Field(
        1.0, gt=0, le=1, description="below 1, ratios are at most this, away from the parent with the better mean score"
    )
    together: bool = Field(False, description="one split point, ratio and angle for all chromosomes, as for one")
    warm_up: int = Field(
        0, ge=0, description="first so many offspring of random pairs of sources, as in the paper's LLMs"
    )
    foresight: float = Field(
        0.0, ge=0, le=1, description="share of offspring that are the best of a pool, by scores foreseen; 0 is off"
    )
    nudges: bool = Field(False, description="with foresight: small changes to the best are in the pool too")
    min_distance: float = Field(
        0.0, ge=0, le=1, description="of models whose scores differ less than this times two sources', the best lives"
    )
    merges: bool = Field(False, description="first offspring: means of each pair of sources and of all")
    task_arithmetic: str | None = Field(
        None, description="with merges: the source that was the others' base, for sums of what each pair added to it"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Breeding:
        if self.guided and self.together:
            raise InvalidValue("guided learns for each chromosome, together has one for all; expected one of the two")
        if self.step < 1 and self.together:
            raise InvalidValue("step draws a ratio for each stretch, together one for all; expected one of the two")
        if self.min_distance and (option := "foresight" if self.foresight else "guided" if self.guided else ""):
            raise InvalidValue("{option} does not reckon with min_distance; expected one of the two", option=option)
        if self.nudges and not self.foresight:
            raise InvalidValue("nudges are chosen by foresight; expected foresight above 0 beside them")
        if self.task_arithmetic and not self.merges:
            raise InvalidValue("task_arithmetic is one of the merges; expected merges: true beside it")
        return self


# Keys that mean the same whatever a run breeds; as fields of `RunSettings` they would come first in every run.yaml.
Frozen = Annotated[
    dict[str, str], Field(description="chromosomes that are not bred, and the source each is taken from")
]
Start = Annotated[
    str | None,
    Field(description="a run whose archive becomes the first offspring, or a folder of recipes over these sources"),
]
Evaluations = Annotated[int, Field(ge=0, description="offspring to make")]
ArchiveSize = Annotated[int, Field(ge=2, description="individuals kept alive")]
Seed = Annotated[int, Field(ge=0, description="random seed of parents, split points and mixing ratios")]
Alpha = Annotated[float, Field(ge=0, le=MAX_ALPHA, description="strength of competition; 0 is none")]
Angle = Annotated[AngleScope, Field(description="one SLERP angle per chromosome, per tensor, or for the genome")]
HowToBreed = Annotated[Breeding, Field(description="how offspring are made, where that differs from the paper")]


class RunSettings(BaseModel):
    """What a run is asked to do, whatever it breeds: frozen, unknown keys refused, kept as the run's `run.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def save(self, path: Path) -> None:
        """Write the configuration as YAML."""
        text = yaml.safe_dump(self.model_dump(mode="json"), allow_unicode=True, sort_keys=False)
        write_whole(path, text.encode())


class RunConfig(RunSettings):
    """Everything a run depends on; the same configuration on the same machine gives the same archive."""

    sources: tuple[str, ...] = Field(
        min_length=2,
        description="the checkpoints to breed: folders, files, hub ids, 'BASE + 0.8 * LORA', 'FILE as v-prediction'",
    )
    host: Annotated[dict[str, str], AfterValidator(part_by_part)] = Field(
        description="which source lends what is not merged: {default: name}; a part may be lent by another, or by a "
        "file or folder that only lends: {default: name, vae: models/fix.safetensors}; text_encoders are both, with "
        "their tokenizers"
    )
    merge_text_encoders: bool = Field(False, description="merge the text encoders too, each as a chromosome of its own")
    chromosomes: dict[str, tuple[str, ...]] = Field(
        {},
        description="glob patterns that group the UNet's tensors otherwise than attention and the rest: the first that "
        "matches takes a tensor, what is left is 'rest'",
    )
    frozen: Frozen = Field({})
    prompts: str = Field(description="prompt set whose captions are the niches")
    compete: tuple[Language, ...] = Field(
        ("ja",), min_length=1, max_length=2, description="languages whose captions are niches; the paper's is ja alone"
    )
    fitness: dict[FitnessKind, float] = Field(
        {"text": 1.0},
        min_length=1,
        description="weights of what scores a picture: likeness to its caption, to its reference picture (NCS)",
    )
    held_out: str = Field(description="prompt set that only reports")
    prompt_syntax: PromptSyntax = Field(
        PLAIN,
        description="how prompts are read: plain, or a1111 with (word:1.2), [word], BREAK, and chunks beyond 75 tokens",
    )
    noises: int = Field(1, ge=1, description="noise seeds per prompt; a score is the mean over them")
    noise_rotation: int = Field(
        0, ge=0, description="every so many offspring other noise, and everyone alive scored again; 0 keeps the same"
    )
    early_rejection: bool = Field(
        False, description="stop drawing an offspring that can no longer enter the archive; the archive stays the same"
    )
    racing: float = Field(
        0.0, ge=0, lt=1, description="stop drawing an offspring whose foreseen chance to enter is below this; 0 is off"
    )
    start: Start = None
    evaluations: Evaluations = 200
    archive: ArchiveSize = 20
    seed: Seed = 0
    alpha: Alpha = 1.0
    angle: Angle = "chromosome"
    workers: WorkerCount = None
    votes: str | None = Field(
        None, description="a run's folder, or its votes.jsonl: what people preferred there is niches here"
    )
    breeding: HowToBreed = Breeding()
    scorer: str = Field(SCORER, description="open_clip model whose score is fitness")
    reporter: str = Field(REPORTER, description="open_clip model of another family that only reports")
    pictures: GenerationSettings = Field(
        GenerationSettings(),
        description="how pictures are drawn: draft, standard or final, or keys of its own; standard if left out",
    )

    @model_validator(mode="after")
    def _names(self) -> RunConfig:
        if self.archive < len(self.sources):
            found = {"archive": self.archive, "sources": len(self.sources)}
            raise InvalidValue("archive holds {archive}; expected room for the {sources} sources at least", **found)
        if "default" not in self.host:
            raise InvalidValue(
                "host is {host}; expected a source for 'default', which lends what no other key names", host=self.host
            )
        if unknown := self.host.keys() - {"default", *COMPONENTS}:
            raise InvalidValue(
                "host names {unknown}; expected default, {components}",
                unknown=", ".join(sorted(unknown)),
                components=", ".join((*COMPONENTS, *PART_GROUPS)),
            )
        if taken := self.chromosomes.keys() & {REST, *TEXT_ENCODERS}:
            raise InvalidValue(
                "chromosomes gives patterns for {taken}; expected a name of your own", taken=", ".join(sorted(taken))
            )
        known = [*(self.chromosomes or (ATTENTION, BACKBONE)), *([REST] if self.chromosomes else [])]
        known += TEXT_ENCODERS if self.merge_text_encoders else ()
        if unknown := self.frozen.keys() - known:
            names = ", ".join(sorted(unknown))
            raise InvalidValue("frozen names {unknown}; expected one of {known}", unknown=names, known=", ".join(known))
        if self.frozen.keys() == set(known):
            raise InvalidValue("frozen names all of {known}; expected one at least to breed", known=", ".join(known))
        if len(set(self.compete)) < len(self.compete):
            raise InvalidValue("compete names {compete}; expected each language once", compete=list(self.compete))
        if not all(weight > 0 for weight in self.fitness.values()):
            raise InvalidValue(
                "fitness has the weights {found}; expected numbers above 0, leave out what is off", found=self.fitness
            )
        if self.early_rejection and self.racing:
            raise InvalidValue("racing stops whoever early_rejection would, and sooner; expected one of the two")
        early = next((option for option in ("early_rejection", "racing") if getattr(self, option)), None)
        if early and self.breeding.min_distance:
            raise InvalidValue("{option} does not reckon with min_distance; expected one of the two", option=early)
        if early and self.compete != ("ja",):
            raise InvalidValue("{option} stops within one language; expected compete: [ja] beside it", option=early)
        if early and self.votes:
            raise InvalidValue(
                "{option} leaves pictures undrawn, votes need all; expected one of the two", option=early
            )
        if self.early_rejection and are_several(self.workers):
            raise InvalidValue(
                "early_rejection compares with an archive that several workers change; expected workers: 1 beside it"
            )
        if self.scorer == self.reporter:
            raise InvalidValue(
                "scorer and reporter are both {scorer}; expected another model to report, as fitness flatters "
                "what was bred for it",
                scorer=self.scorer,
            )
        return self

    @property
    def competing(self) -> tuple[str, ...]:
        """The kinds of scores that are niches, one after the other: languages, then people's votes."""
        return (*self.compete, "votes") if self.votes else self.compete

    @property
    def merged_components(self) -> tuple[str, ...]:
        """The components that the run breeds."""
        return ("unet", *(TEXT_ENCODERS if self.merge_text_encoders else ()))

    @property
    def host_names(self) -> dict[str, str]:
        """Which source lends what, as a recipe has it: `host` with names alone."""
        return named_host(self.host, first=self.sources[0], merged=self.merged_components)

    def bred(self, sources: Mapping[str, Source]) -> dict[str, Source]:
        """Those of the opened sources whose weights are bred: all but those that only lend."""
        return without_lenders(sources, self.host)

    def weighted(self, sources: Mapping[str, Source], weights: Sequence[float], *, name: str) -> Recipe:
        """A recipe with the same weights in every chromosome that the run breeds, those that are frozen as asked.

        `sources` are all that are opened, `weights` those of the ones that are bred.

        Raises:
            RecipeError: a pattern takes no tensor.
        """
        bred, patterns = self.bred(sources), self.chromosomes or None
        unit = dict(zip(bred, np.eye(len(bred)).tolist(), strict=True))
        rows = {}
        for chromosome in next(iter(bred.values())).layouts(self.merged_components, patterns):
            row = dict(zip(bred, unit.get(self.frozen.get(chromosome, ""), weights), strict=True))
            rows[chromosome] = [row.get(one, 0.0) for one in sources]
        return blend(list(sources.values()), rows, host=self.host_names, name=name, patterns=patterns)

    def changed(self, changes: Mapping[str, Any]) -> RunConfig:
        """The same with other values.

        Args:
            changes: values by field; `breeding.beta` is a field within another.

        Raises:
            ConfigError: an unknown field, or a value that does not fit.
        """
        return checked(with_changes(self.model_dump(), changes))


def embedded(**changes: Any) -> RunConfig:
    """The embedded family with the settings that suit it; `changes` replace fields."""
    fields: dict[str, Any] = {
        "sources": tuple(str(path) for path in assets.sources()),
        "host": {"default": "ja"},
        "prompts": str(assets.EVOLVE),
        "held_out": str(assets.HELD_OUT),
        "scorer": names.of_folder(assets.JUDGE),
        "reporter": names.of_folder(assets.JURY),
        "pictures": EMBEDDED_PICTURES,
    }
    return checked({**fields, **changes})


def checked(fields: dict[str, Any], *, where: str = "the run's settings") -> RunConfig:
    """A configuration from plain values.

    Raises:
        ConfigError: an unknown key or a value that does not fit; says which.
    """
    try:
        return RunConfig.model_validate(fields)
    except ValidationError as error:
        raise refused(error, where) from error
