"""What each source is good at, by category and language: measured in runs that it took part in, never guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import assets
from eval.metrics import mean_by_category
from eval.prompts.prompt_set import Language
from eval.scorers import names
from pipelines.errors import M2N2Error
from studio.runs.store import RunStore, open_run

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
    """What each source is good at, by uri: from the newest run that scored it, else from what came with it.

    Sources that nobody measured are left out.
    """
    wanted: dict[str, list[KnownSource]] = {}
    found: dict[str, SourceStrengths] = {}
    for one in sources:
        for run in one.runs[:1]:
            wanted.setdefault(run, []).append(one)
    while wanted:
        run, here = wanted.popitem()
        scored = _of_run(runs / run)
        for one in here:
            if one.name in scored:
                found[one.uri] = scored[one.name]
            elif later := one.runs[one.runs.index(run) + 1 :]:
                wanted.setdefault(later[0], []).append(one)
    for one in sources:
        if one.uri not in found and (table := _of_family(one)):
            found[one.uri] = table
    return found


def best_categories(found: Mapping[str, SourceStrengths], uri: str, language: Language = "ja") -> list[str]:
    """The categories in which a source beats every other one that was measured beside it."""
    own = found[uri]
    beside = [other for other in found.values() if (other.run, other.scorer) == (own.run, own.scorer)]
    if len(beside) < 2:
        return []
    return [
        category
        for category, score in own.scores.get(language, {}).items()
        if all(score > other.scores[language].get(category, 0.0) for other in beside if other is not own)
    ]


def _of_run(folder: Path) -> dict[str, SourceStrengths]:
    """What a run tells of its sources, by name; nothing where it has not drawn any yet."""
    with _opened(folder) as store:
        if store is None:
            return {}
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


@contextmanager
def _opened(folder: Path) -> Iterator[RunStore | None]:
    try:
        store = open_run(folder)
    except M2N2Error:
        yield None  # its own pages say what is wrong with it
        return
    try:
        yield store
    finally:
        store.close()


def _of_family(one: KnownSource) -> SourceStrengths | None:
    """The table that was measured when the embedded family was made, each source with text encoders of its own."""
    path = Path(one.uri)
    if path.parent != assets.FAMILY or path.name not in assets.NAMES:
        return None
    measured = json.loads((assets.FAMILY.parent / "family.json").read_text("utf-8"))
    own = measured["cards"][path.name]
    return SourceStrengths(
        scores={
            language: {name: score for name, score in own[language]["score"].items() if name != "mean"}
            for language in LANGUAGES
        },
        measured_in="family",
        run="",
        scorer=measured["scorer"],
        prompts=measured["held_out_prompts"],
    )
