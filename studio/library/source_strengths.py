"""What each source is good at, by category and language: measured in runs that it took part in, never guessed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import assets
from eval.metrics import mean_by_category
from eval.prompts.prompt_set import Language
from eval.scorers import names
from pipelines.errors import M2N2Error
from studio.runs.store import open_run

from .source_library import KnownSource

LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True)
class SourceStrengths:
    """Mean scores of a source by language and category, and where they come from.

    Attributes:
        scores: language to category to mean score.
        measured_in: "run", or "family" for the table that came with an embedded source.
        run: the run's name; empty for the family's table.
        scorer: what scored; scores of different scorers are on different scales.
        prompts: how many prompts were drawn.
        pictures: of some prompts in both languages, (prompt's caption, language, file); not for the family's table.
    """

    scores: Mapping[Language, Mapping[str, float]]
    measured_in: Literal["run", "family"]
    run: str
    scorer: str
    prompts: int
    pictures: tuple[tuple[str, Language, Path], ...] = ()


def source_strengths(runs: Path, sources: Sequence[KnownSource]) -> dict[str, SourceStrengths]:
    """Read what each source is good at, by uri: from the newest run that scored it, else from what it came with.

    Sources that nobody measured are left out.
    """
    pending: dict[str, list[KnownSource]] = {}
    measured: dict[str, SourceStrengths] = {}
    for source in sources:
        for run in source.runs[:1]:
            pending.setdefault(run, []).append(source)
    while pending:
        run, in_run = pending.popitem()
        scored: Mapping[str, SourceStrengths] = {}
        with contextlib.suppress(M2N2Error):  # its own pages say what is wrong with it
            scored = _of_run(runs / run)
        for source in in_run:
            if source.name in scored:
                measured[source.uri] = scored[source.name]
            elif later := source.runs[source.runs.index(run) + 1 :]:
                pending.setdefault(later[0], []).append(source)
    for source in sources:
        if source.uri not in measured and (table := _of_family(source)):
            measured[source.uri] = table
    return measured


def best_categories(measured: Mapping[str, SourceStrengths], uri: str, language: Language = "ja") -> list[str]:
    """List the categories in which a source beats every other one that was measured beside it."""
    strengths = measured[uri]
    beside = [other for other in measured.values() if (other.run, other.scorer) == (strengths.run, strengths.scorer)]
    if len(beside) < 2:
        return []
    return [
        category
        for category, score in strengths.scores.get(language, {}).items()
        if all(score > other.scores[language].get(category, 0.0) for other in beside if other is not strengths)
    ]


def _of_run(folder: Path) -> dict[str, SourceStrengths]:
    """Read what a run tells of its sources, by name; nothing where it has not drawn any yet.

    Raises:
        M2N2Error: the run, or its prompt set, cannot be read.
    """
    with contextlib.closing(open_run(folder)) as store:
        prompts = store.prompts.niches
        firsts = {prompt.category: prompt for prompt in reversed(prompts.prompts)}
        return {
            one.id: SourceStrengths(
                scores={
                    language: mean_by_category(one.scores[language].mean(axis=1), prompts.categories)
                    for language in LANGUAGES
                    if language in one.scores
                },
                measured_in="run",
                run=store.name,
                scorer=names.label(store.config.scorer),
                prompts=len(prompts),
                pictures=tuple(
                    (text, language, file)
                    for prompt in list(firsts.values())[:3]
                    for language, text in prompt.captions
                    if text and (file := store.image(one.id, prompt.id, language, 0)).is_file()
                ),
            )
            for one in store.sources()
            if "ja" in one.scores
        }


def _of_family(source: KnownSource) -> SourceStrengths | None:
    """Read the table that was measured when the embedded family was made, each source with its own text encoders."""
    path = Path(source.uri)
    if path.parent != assets.FAMILY or path.name not in assets.NAMES:
        return None
    table = json.loads((assets.FAMILY.parent / "family.json").read_text("utf-8"))
    card = table["cards"][path.name]
    return SourceStrengths(
        scores={
            language: {name: score for name, score in card[language]["score"].items() if name != "mean"}
            for language in LANGUAGES
        },
        measured_in="family",
        run="",
        scorer=table["scorer"],
        prompts=table["held_out_prompts"],
    )
