"""What the lightbox tells: of a run whom and what one can step through, of a place in it pictures, scores and data."""

from __future__ import annotations

from typing_extensions import TypedDict

from eval.prompts.prompt_set import LANGUAGES, Language
from studio.analysis.selection import best_source
from studio.errors import RunError
from studio.formatting import format_score
from studio.i18n import Lang, phrase, t
from studio.judging.annotations import REJECTED, mark_of
from studio.png_metadata import generation_data, infotext
from studio.runs.individual import Individual
from studio.runs.picture_names import image_folder, picture_stem
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.frame import page_link

WORDS = ("close", "to_compare", "to_export", "star", "reject", "copy_data", "copied", "no_picture", "keys")


class Model(TypedDict):
    """A model that one can step to; `folder` is its part of pictures' addresses."""

    id: str
    folder: str


class Caption(TypedDict):
    """A prompt that one can step to; `stem` begins the names of its pictures."""

    id: str
    stem: str


class RunContent(TypedDict):
    """What one can step through in a run: models, the best first, and prompts in the order of their set."""

    models: list[Model]
    prompts: list[Caption]
    noises: int
    words: dict[str, str]


class Scored(TypedDict):
    """A score as pages print it, and its change against the best source, in words; empty where there is none."""

    score: str
    change: str


class Shown(Scored):
    """A picture in one language; `address` is `None` where it was not kept."""

    language: str
    label: str
    caption: str
    address: str | None
    data: str | None


class PlaceContent(TypedDict):
    """One model's pictures of one prompt and seed."""

    model: str
    title: str
    shown: list[Shown]
    seed: int | None
    starred: bool
    rejected: bool
    compare: str
    export: str


def run_content(store: RunStore, lang: Lang) -> RunContent:
    """Read what one can step through in a run."""
    scored = [one for one in store.individuals() if "ja" in one.scores]
    scored.sort(key=lambda one: -(one.mean("ja") or 0.0))
    return {
        "models": [{"id": one.id, "folder": image_folder(store.folder, one.id).name} for one in scored],
        "prompts": [{"id": one.id, "stem": picture_stem(one.id)} for one in store.prompts.niches.prompts],
        "noises": store.config.noises,
        "words": {key: t(lang, f"lightbox_{key}") for key in WORDS},
    }


def place_content(store: RunStore, lang: Lang, id: str, prompt_id: str, noise: int, rater: str) -> PlaceContent:
    """Read one model's pictures of one prompt and seed, in both languages.

    Args:
        store: the run.
        lang: of the page.
        id: of the model.
        prompt_id: of the prompt.
        noise: number of the seed among those of a prompt, from 0.
        rater: whose marks are shown; empty for whoever has no name.

    Raises:
        RunError: there is no such model or prompt.
    """
    one = store.individual(id)
    prompts = store.prompts.niches.prompts
    row = next((number for number, prompt in enumerate(prompts) if prompt.id == prompt_id), None)
    if row is None:
        raise RunError(phrase("no_such_prompts", prompts=prompt_id, run=store.name))
    best = best_source(store.sources())
    beside = None if best is None or best.id == one.id else best
    files = {language: store.image(one.id, prompt_id, language, noise) for language in LANGUAGES}
    drawn = {language: generation_data(file) or {} for language, file in files.items() if file.is_file()}
    mark = mark_of(store, one, rater)
    kind = t(lang, "source") if one.is_source else t(lang, "child")
    return {
        "model": one.id,
        "title": f"{one.id} · {kind} · {t(lang, 'seed_number', n=noise + 1)}",
        "shown": [
            {
                "language": language,
                "label": t(lang, f"language_{language}"),
                "caption": getattr(prompts[row], language) or "",
                "address": html.picture_address(store.name, file.parent.name, file.name) if language in drawn else None,
                "data": infotext(drawn[language]) if drawn.get(language) else None,
                **_scored(lang, one, beside, language, row, noise),
            }
            for language, file in files.items()
        ],
        "seed": next((data["seed"] for data in drawn.values() if "seed" in data), None),
        "starred": bool(mark["stars"]),
        "rejected": REJECTED in mark["tags"],
        "compare": page_link(lang, "compare", run=store.name, id=one.id, prompt=prompt_id),
        "export": page_link(lang, "export", run=store.name, id=one.id),
    }


def _scored(lang: Lang, one: Individual, beside: Individual | None, language: Language, row: int, noise: int) -> Scored:
    score, theirs = (_score(each, language, row, noise) if each else None for each in (one, beside))
    change = ""
    if beside and score is not None and theirs is not None:
        change = f"{score - theirs:+z.3f} {t(lang, 'against_best_source', name=beside.id)}"
    return {"score": format_score(score), "change": change}


def _score(one: Individual, language: Language, row: int, noise: int) -> float | None:
    values = one.scores.get(language)
    return None if values is None or noise >= values.shape[1] else float(values[row, noise])
