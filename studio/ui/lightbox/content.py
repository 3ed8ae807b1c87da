"""What the lightbox tells: of a run whom and what one can step through, of a place in it pictures, scores and data."""

from __future__ import annotations

from typing_extensions import TypedDict

from eval.prompts.prompt_set import LANGUAGES, Prompt
from studio.analysis.selection import best_source
from studio.errors import RunError
from studio.i18n import Lang, t
from studio.judging.annotations import REJECTED, mark_of
from studio.png_metadata import generation_data, infotext, picture_seed
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


class Shown(TypedDict):
    """A picture in one language; `address` is `None` where it was not kept, `score` where it was not scored."""

    language: str
    label: str
    caption: str
    address: str | None
    score: str
    change: str
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
        raise RunError(t(lang, "no_such_prompts", prompts=prompt_id, run=store.name))
    best = best_source(store.sources())
    beside = None if best is None or best.id == one.id else best
    shown = [_shown(store, lang, one, prompts[row], row, language, noise, beside) for language in LANGUAGES]
    mark = mark_of(store, one, rater)
    kind = t(lang, "source") if one.is_source else t(lang, "child")
    return {
        "model": one.id,
        "title": f"{one.id} · {kind} · {t(lang, 'seed_number', n=noise + 1)}",
        "shown": shown,
        "seed": _seed(store, one, prompts[row], noise),
        "starred": bool(mark["stars"]),
        "rejected": REJECTED in mark["tags"],
        "compare": page_link(lang, "compare", run=store.name, id=one.id, prompt=prompt_id),
        "export": page_link(lang, "export", run=store.name, id=one.id),
    }


def _shown(
    store: RunStore,
    lang: Lang,
    one: Individual,
    prompt: Prompt,
    row: int,
    language: str,
    noise: int,
    beside: Individual | None,
) -> Shown:
    file = store.image(one.id, prompt.id, language, noise)
    data = generation_data(file) if file.is_file() else None
    score = _score(one, language, row, noise)
    theirs = _score(beside, language, row, noise) if beside else None
    change = (
        f"{score - theirs:+.3f} {t(lang, 'against_best_source', name=beside.id)}"
        if (beside and score is not None and theirs is not None)
        else ""
    )
    return {
        "language": language,
        "label": t(lang, f"language_{language}"),
        "caption": getattr(prompt, language) or "",
        "address": html.picture_address(store.name, file.parent.name, file.name) if file.is_file() else None,
        "score": "–" if score is None else f"{score:.3f}",
        "change": change,
        "data": infotext(data) if data else None,
    }


def _score(one: Individual, language: str, row: int, noise: int) -> float | None:
    values = one.scores.get("ja" if language == "ja" else "en")
    return None if values is None or noise >= values.shape[1] else float(values[row, noise])


def _seed(store: RunStore, one: Individual, prompt: Prompt, noise: int) -> int | None:
    """The seed that both languages share, as a picture says of itself; `None` where none is kept."""
    files = [store.image(one.id, prompt.id, language, noise) for language in LANGUAGES]
    return next((picture_seed(file) for file in files if file.is_file()), None)
