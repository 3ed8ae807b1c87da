"""What the form says: the run it asks for, and the form for a run there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import assets
from eval.prompts.prompt_set import PromptSet
from eval.scorers.catalogue import REPORTER, SCORER
from pipelines.checkpoints.source_uri import absolute_uri, default_name, open_source_uri
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import GenerationSettings, PresetName
from pipelines.recipes.lenders import is_place, placed_host
from studio.errors import ConfigError
from studio.execution.workers import worker_count
from studio.runs.config import RunConfig, embedded
from studio.runs.config_file import load_config, preset
from studio.runs.inputs import RunPrompts, open_run_sources
from studio.ui.common.field_errors import at_field

from .form_options import BEYOND_THE_PAPER, NUMBERS
from .lent_parts import read_lent_parts, write_lent_parts

MOST_SOURCES = 64  # of one's own
EMBEDDED = "embedded"  # stands for the shipped file or model in a field that also takes a path or a name
Judged = Literal["text", "image", "both"]
FITNESS: Mapping[Judged, dict[str, float]] = {
    "text": {"text": 1.0},
    "image": {"image": 1.0},
    "both": {"text": 0.5, "image": 0.5},
}
TOGETHER, APART = "", "apart"
CROSS_APART = {"self_attention": ("*.attn1.*",), "cross_attention": ("*.attn2.*",)}


@dataclass(frozen=True)
class RunForm:
    """What the page asks. `start`, `votes` and `fork` are folders of runs, or empty.

    What a form that forks a run does not show, or shows but was not changed, is as in that run.
    """

    sources: list[str]
    own: str
    host: str | None
    prompts: str
    held_out: str
    evaluations: float
    archive: float
    noises: float
    seed: float
    alpha: float
    angle: str
    pictures: PresetName
    steps: float  # 0: the preset's
    guidance: float  # 0: the preset's; 1 turns it off
    merge_text_encoders: bool
    cross: str  # cross-attention: TOGETHER, APART, or the source that it is always taken from
    scorer: str
    reporter: str
    fitness: Judged
    options: list[str]
    start: str
    votes: str
    fork: str = ""
    prompt_syntax: PromptSyntax = PLAIN
    lent: str = ""  # parts that others than the host lend, one a line: `vae=FILE`
    workers: float = 1  # 1: the run draws in its own process
    name: str = ""  # what the run is called in lists; its folder is named after the time

    @property
    @at_field("own")
    def folders(self) -> list[str]:
        """The sources' folders: those ticked of the embedded family, then one's own.

        Raises:
            ConfigError: more than `MOST_SOURCES` of one's own.
        """
        own = [line.strip().strip('"') for line in self.own.splitlines() if line.strip()]
        if len(own) > MOST_SOURCES:
            raise ConfigError(
                "Expected at most {most_sources} sources, found {found}. Leave some out.",
                most_sources=MOST_SOURCES,
                found=len(own),
            )
        return [str(assets.FAMILY / name) for name in assets.NAMES if name in self.sources] + own

    @property
    def names(self) -> list[str]:
        """What the sources are called."""
        return [default_name(folder) for folder in self.folders]

    @property
    def lender(self) -> str | None:
        """Who lends what is not merged: the one chosen, else `ja`, else the first."""
        if self.host in self.names:
            return self.host
        return "ja" if "ja" in self.names else next(iter(self.names), None)

    @property
    @at_field("lent")
    def lent_parts(self) -> dict[str, str]:
        """Who lends what beside the host, with whole places.

        Raises:
            M2N2Error: a line names no part, or no place.
        """
        return placed_host(read_lent_parts(self.lent), self.folders, Path.cwd())

    @property
    def cross_here(self) -> str:
        """How cross-attention is bred; TOGETHER where its source is not among those chosen any more."""
        return self.cross if self.cross in (APART, *self.names) else TOGETHER

    @property
    def settings(self) -> GenerationSettings:
        """How pictures are drawn: the preset for the first source, with what was changed of it."""
        drawn = preset(self.pictures, open_source_uri(self.folders[0]))
        changes = {one.field: getattr(self, one.field) for one in NUMBERS if one.from_preset}
        # Validated, for a browser's numbers are floats: of steps, the whole number is meant.
        return GenerationSettings.model_validate(
            drawn.model_dump() | {field: value for field, value in changes.items() if value}
        )

    def config(self) -> RunConfig:
        """The run that this form asks for.

        Raises:
            ConfigError: fewer than two sources, a value out of its range, or the run it forks cannot be read.
        """
        if not self.fork:
            return self._alone()
        forked = load_config(Path(self.fork) / "run.yaml")
        before, asked = (_flat(form._alone()) for form in (form_of(forked), self))
        changes = {name: value for name, value in asked.items() if value != before.get(name)}
        return forked.changed({**changes, "start": self.start or None})

    def _alone(self) -> RunConfig:
        """What the fields say, whatever run they were filled from."""
        if len(self.folders) < 2:
            with at_field("sources"):
                raise ConfigError(
                    "Expected at least two sources to merge, found {found}. Tick another one.", found=len(self.folders)
                )
        named = {
            "prompts": self.prompts,
            "held_out": self.held_out,
            "scorer": self.scorer,
            "reporter": self.reporter,
        }
        plain = embedded(
            sources=tuple(absolute_uri(folder) for folder in self.folders),
            host={"default": self.lender, **self.lent_parts},
            **{one.key: getattr(self, one.field) for one in NUMBERS if not one.from_preset},
            angle=self.angle,
            prompt_syntax=self.prompt_syntax,
            merge_text_encoders=self.merge_text_encoders,
            chromosomes=CROSS_APART if self.cross_here else {},
            frozen={} if self.cross_here in (TOGETHER, APART) else {"cross_attention": self.cross},
            pictures=self.settings.model_dump(),
            fitness=FITNESS[self.fitness],
            start=self.start or None,
            votes=self.votes or None,
            workers=int(self.workers) if self.workers > 1 else None,
            **({"scorer": SCORER, "reporter": REPORTER} if self.own.strip() else {}),
            **{field: value.strip() for field, value in named.items() if value and value.strip() != EMBEDDED},
        )
        ticked = [one.changes for one in BEYOND_THE_PAPER if one.name in self.options]
        return plain.changed({key: value for changes in ticked for key, value in changes.items()})

    def check(self) -> RunConfig:
        """The run, once sources and prompt sets have been opened.

        Raises:
            M2N2Error: a source or a prompt set cannot be opened, or they do not go together.
        """
        config = self.config()
        with at_field("lent"):
            for place in filter(is_place, config.host.values()):
                open_source_uri(place)
        with at_field("own" if self.own.strip() else "sources"):
            open_run_sources(config)
        named = RunPrompts(config)
        with at_field("prompts"):
            _check_twins(named.niches)
        with at_field("held_out"):
            _check_twins(named.held_out)
        return config


def _check_twins(prompts: PromptSet) -> None:
    if set(prompts.languages) != {"ja", "en"}:
        raise ConfigError(
            "Prompt set {name!r}: expected a Japanese and an English caption for every prompt, found both only for "
            "some. Add the missing twins.",
            name=prompts.name,
        )


def _flat(config: RunConfig) -> dict[str, Any]:
    """The settings, with those within others each by itself, as `RunConfig.changed` takes them."""
    fields = config.model_dump()
    for name in ("pictures", "breeding"):
        fields |= {f"{name}.{key}": value for key, value in fields.pop(name).items()}
    return fields


def form_of(config: RunConfig, *, fork: Path | None = None) -> RunForm:
    """The form that asks for a run, with its pictures' steps and guidance; `fork` is its folder, to begin from."""
    sources, own = ticked_and_own(config.sources)
    shipped = embedded()

    def own_or_embedded(field: str) -> str:
        value: str = getattr(config, field)
        return EMBEDDED if value == getattr(shipped, field) else value

    settings = _flat(config)
    return RunForm(
        sources=sources,
        own=own,
        host=config.host.get("default"),
        prompts=own_or_embedded("prompts"),
        held_out=own_or_embedded("held_out"),
        **{one.field: settings[one.key] for one in NUMBERS},
        angle=config.angle,
        pictures="standard",
        merge_text_encoders=config.merge_text_encoders,
        cross=config.frozen.get("cross_attention", APART) if config.chromosomes == CROSS_APART else TOGETHER,
        scorer=own_or_embedded("scorer"),
        reporter=own_or_embedded("reporter"),
        fitness=next((name for name, weights in FITNESS.items() if weights == config.fitness), "text"),
        options=[one.name for one in BEYOND_THE_PAPER if one.asked_for(settings)],
        start=str(fork.resolve()) if fork else "",
        votes=config.votes or "",
        fork=str(fork.resolve()) if fork else "",
        prompt_syntax=config.prompt_syntax,
        lent=write_lent_parts(config.host),
        workers=worker_count(config) or 1,
    )


def ticked_and_own(uris: Sequence[str]) -> tuple[list[str], str]:
    """Return sources as the form has them: names of the embedded family, and all others, one a line."""
    own = [uri for uri in uris if Path(uri).parent != assets.FAMILY]
    return [Path(uri).name for uri in uris if uri not in own], "\n".join(own)
