"""The pictures of a report: the same captions by sources, average and child, in both languages, from the same noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.prompts.prompt_set import LANGUAGES, Language, Prompt, PromptSet
from studio.png_metadata import generation_data
from studio.runs.individual import Individual
from studio.runs.picture_names import safe_component
from studio.runs.results import SHOWN, shown_prompts
from studio.runs.store import RunStore

ModelLanguage = tuple[str, Language]  # model and language


@dataclass(frozen=True)
class CaptionPictures:
    """A caption with its pictures: files and scores by model and language, as far as they are there."""

    prompt: Prompt
    files: Mapping[ModelLanguage, Path]
    scores: Mapping[ModelLanguage, float]

    @property
    def seed(self) -> int | None:
        """The seed of the noise that all of them were drawn from."""
        for file in self.files.values():
            if data := generation_data(file):
                return int(data["seed"])
        return None


@dataclass(frozen=True)
class ReportPictures:
    """Captions with the pictures that each model drew.

    Attributes:
        models: who drew them, in order; `average` and `child` as in the held-out report.
        captions: with their pictures.
        held_out: whether nobody was bred on these captions.
    """

    models: Sequence[str]
    captions: Sequence[CaptionPictures]
    held_out: bool


def report_pictures(store: RunStore, individuals: Sequence[Individual], child: Individual | None) -> ReportPictures:
    """Find the pictures to look at: of held-out captions where the report kept some, else of those it was bred on.

    Args:
        store: the run.
        individuals: all of the run.
        child: the one that the report is about.
    """
    sources = [one.id for one in individuals if one.is_source]
    keys = store.state.report_keys or {}
    models = [name for name in (*sources, "average", "child") if name in keys]
    if any((store.folder / "report" / safe_component(name)).is_dir() for name in models):
        return ReportPictures(models, _held_out(store, models, keys), held_out=True)
    models = [*sources, *([child.id] if child else [])]
    by_id = {one.id: one for one in individuals}
    return ReportPictures(models, _niches(store, [by_id[name] for name in models]), held_out=False)


def _held_out(store: RunStore, models: Sequence[str], keys: Mapping[str, str]) -> list[CaptionPictures]:
    prompts = store.prompts.held_out
    scores: dict[str, Any] = {name: store.report_row(keys[name]) or {} for name in models}
    captions = []
    for prompt in shown_prompts(prompts).prompts:
        row = prompts.ids.index(prompt.id)
        files = {
            (name, language): store.report_image(name, prompt.id, language) for name in models for language in LANGUAGES
        }
        captions.append(
            CaptionPictures(
                prompt, _existing(files), {(name, language): scores[name][language][row] for name, language in files}
            )
        )
    return captions


def _niches(store: RunStore, individuals: Sequence[Individual]) -> list[CaptionPictures]:
    prompts: PromptSet = store.prompts.niches
    captions = []
    for prompt in prompts.subset(min(SHOWN, len(prompts))).prompts:
        row = prompts.ids.index(prompt.id)
        files = {
            (one.id, language): store.image(one.id, prompt.id, language, 0)
            for one in individuals
            for language in LANGUAGES
        }
        scores: dict[ModelLanguage, float] = {
            (one.id, language): float(one.scores[language][row, 0])
            for one in individuals
            for language in LANGUAGES
            if language in one.scores
        }
        captions.append(CaptionPictures(prompt, _existing(files), scores))
    return captions


def _existing(files: Mapping[ModelLanguage, Path]) -> dict[ModelLanguage, Path]:
    return {place: file for place, file in files.items() if file.is_file()}
