"""Where a picture of a comparison stands, what is to be drawn there, and what it is known by: its generation data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from eval.prompts.prompt_set import LANGUAGES, Language, Prompt, written_language
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.generation.live_pipeline import PictureRequest
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import GenerationSettings
from studio.errors import RunError
from studio.runs.config import RunConfig
from studio.runs.config_file import preset
from studio.runs.inputs import RunPrompts
from studio.runs.noise import noise_seed, picture_data
from studio.ui.common.field_errors import at_field

from .models import Contender

Quality = Literal["run", "draft", "final"]
AS_RUN: Literal["run"] = "run"  # drawn as the run draws
MOST_PROMPTS = 6  # captions side by side
TYPED = "typed"  # the category of a caption of no set
NO_MATTER = ("batch", "compile", "recipe")  # of generation data, what changes no more than a picture's last bits


class Place(NamedTuple):
    """Where a picture stands: model, caption, noise and language."""

    model: int
    prompt: int
    noise: int
    language: Language


@dataclass(frozen=True)
class Asked:
    """What every model draws, and who scores it."""

    prompts: tuple[Prompt, ...]
    noises: int
    settings: GenerationSettings
    scorer: str
    syntax: PromptSyntax = PLAIN

    def seed(self, prompt: int, noise: int) -> int:
        """The seed of the noise that all models and both languages share."""
        return noise_seed(self.prompts[prompt].id, noise)

    def request(self, place: Place) -> PictureRequest | None:
        """What to draw; `None` where the prompt has no caption in that language."""
        caption = getattr(self.prompts[place.prompt], place.language)
        return PictureRequest(caption, self.seed(place.prompt, place.noise), self.syntax) if caption else None

    def places(self, model: int) -> Iterator[Place]:
        """A model's places, in the order that they are drawn in."""
        for noise in range(self.noises):
            for prompt in range(len(self.prompts)):
                for language in LANGUAGES:
                    place = Place(model, prompt, noise, language)
                    if self.request(place):
                        yield place


@dataclass(frozen=True)
class Cell:
    """A picture on the page.

    Attributes:
        address: where it is served.
        data: how it was made.
        score: of its caption, `None` where nobody scored it yet.
        others: scores of other models at the same place, by what they are called.
        file: the run's, where it was kept there; `None` where it was drawn for this page.
    """

    address: str
    data: Mapping[str, Any]
    score: float | None
    others: tuple[tuple[str, float], ...] = ()
    file: Path | None = None


def ask(config: RunConfig, known: Sequence[str], ja: str, en: str, *, noises: int, quality: Quality = AS_RUN) -> Asked:
    """What captions chosen and typed ask for; a typed caption of the run's set gets the noise that it was judged by.

    Args:
        config: of the run whose captions, settings and scorer they are.
        known: ids of captions of the run's set.
        ja: a caption typed in Japanese, or blank.
        en: its English twin, or blank.
        noises: pictures per caption and language.
        quality: how to draw, as the run does, or by a preset for its models.

    Raises:
        M2N2Error: no caption, or too many; the source that a preset is for is gone.
    """
    niches = RunPrompts(config).niches.prompts
    by_id = {prompt.id: prompt for prompt in niches}
    prompts = [by_id[id] for id in known if id in by_id]
    captions: tuple[tuple[Language, str], ...] = (("ja", ja.strip()), ("en", en.strip()))
    typed = {language: text for language, text in captions if text}
    if typed:
        prompts.append(_typed_prompt(niches, typed))
    with at_field("known"):
        return _asked(config, prompts, noises, quality)


def ask_typed(config: RunConfig, captions: Sequence[str], *, noises: int, quality: Quality = AS_RUN) -> Asked:
    """What captions ask for that were typed one after the other, each in either language; else as `ask`."""
    niches = RunPrompts(config).niches.prompts
    prompts = [_typed_prompt(niches, {written_language(caption): caption}) for caption in captions]
    return _asked(config, prompts, noises, quality)


def _typed_prompt(niches: Sequence[Prompt], typed: Mapping[Language, str]) -> Prompt:
    """The prompt of a run's set that has these captions and no other, else one of its own."""
    same = [prompt for prompt in niches if typed == {language: text for language, text in prompt.captions if text}]
    return (
        same[0] if same else Prompt(id="/".join(typed.values()), category=TYPED, ja=typed.get("ja"), en=typed.get("en"))
    )


def _asked(config: RunConfig, prompts: Sequence[Prompt], noises: int, quality: Quality) -> Asked:
    prompts = list(dict.fromkeys(prompts))
    if not 1 <= len(prompts) <= MOST_PROMPTS:
        raise RunError(
            "Expected one to {most_prompts} captions, found {found}. Choose some, or type one.",
            most_prompts=MOST_PROMPTS,
            found=len(prompts),
        )
    settings = config.pictures if quality == AS_RUN else preset(quality, open_source_uri(config.sources[0]))
    return Asked(tuple(prompts), noises, settings, config.scorer, config.prompt_syntax)


def data_of(row: Contender, asked: Asked, place: Place) -> dict[str, Any]:
    """How a picture that is drawn here is made: alone, not in a batch."""
    request = asked.request(place)
    assert request is not None
    alone = asked.settings.model_copy(update={"batch": 1})
    return {**picture_data(row.label, request, place.language, alone), "recipe": row.digest}


def key_of(data: Mapping[str, Any], asked: Asked) -> str:
    """What is remembered of a picture is remembered under this."""
    return hashlib.sha256(json.dumps([dict(data), asked.scorer], sort_keys=True).encode()).hexdigest()


def matter(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of generation data, what decides how a picture looks."""
    return {key: value for key, value in data.items() if key not in NO_MATTER and value is not None}
