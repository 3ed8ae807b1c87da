"""HTML that no Gradio component draws: cards, strips and tables of pictures. All text is escaped by Markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from eval.prompts.prompt_set import Language, Prompt, PromptSet
from pipelines.checkpoints.sources import Source
from studio.formatting import format_bytes, format_duration, format_score
from studio.i18n import Lang, t
from studio.judging.pinned_prompts import pinned_prompts
from studio.runs.individual import Individual
from studio.runs.store import RunStore

STRIP = 4  # pictures that stand for an individual
RUN, SMALL = "/pictures/run/", "/pictures/small/"  # addresses of a run's pictures, whole and for a page
TINY = 5e-4  # a change in score that would print as 0.000


def figure(src: str | None, alt: str, caption: str | Markup = "", css: str = "") -> Markup:
    """Draw a picture with its caption; an empty frame where there is none. One of a run leads to its whole file."""
    inner = (
        Markup('<img src="{}" alt="{}" loading="lazy" decoding="async">').format(src, alt)
        if src and not src.startswith(RUN)
        else Markup('<a href="{}"><img src="{}" alt="{}" loading="lazy" decoding="async"></a>').format(
            src, src.replace(RUN, SMALL, 1), alt
        )
        if src
        else Markup('<span class="no-picture" role="img" aria-label="{}"></span>').format(alt)
    )
    figcaption = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
    return Markup('<figure class="picture {}">{}{}</figure>').format(css, inner, figcaption)


def drawing_bar(lang: Lang, done: int, of: int, seconds_left: float | None, *, is_loading: bool) -> Markup:
    """Draw how many pictures of how many there are, and how long the others take where that is known."""
    if is_loading:
        words = t(lang, "loading")
    elif seconds_left:
        words = t(lang, "drawn_of_left", done=done, of=of, left=format_duration(lang, seconds_left))
    else:
        words = t(lang, "drawn_of", done=done, of=of)
    return Markup('<div class="drawing"><progress max="{}" value="{}" aria-label="{}"></progress>{}</div>').format(
        of or 1, done, t(lang, "drawing"), words
    )


def run_picture(store: RunStore, individual: str, prompt: str, language: Language, noise: int = 0) -> str | None:
    """Return the address of a picture of a run, `None` where it was not kept."""
    file = store.image(individual, prompt, language, noise)
    return picture_address(store.name, file.parent.name, file.name) if file.is_file() else None


def model_picture(store: RunStore, individual: str, prompt: Prompt, *, caption: str | None = None) -> Markup:
    """Draw a model's picture of a prompt, in Japanese where it has it, told to screen readers by both.

    Args:
        store: the run.
        individual: its id.
        prompt: what was drawn.
        caption: what stands under it; the prompt if left out.
    """
    said = prompt.ja or prompt.en or prompt.id
    address = run_picture(store, individual, prompt.id, "ja" if prompt.ja else "en")
    return figure(address, f"{individual}: {said}", said if caption is None else caption)


def picture_address(run: str, folder: str, file: str) -> str:
    """Return where a run's picture is served, by the names of an individual's folder and of the file in it."""
    return RUN + "/".join(map(quote, (run, folder, file)))


def prompt_picture(name: str, prompt: str) -> str:
    """Return the address of a reference picture of a known prompt set."""
    return f"/pictures/prompts/{quote(name)}/{quote(prompt, safe='')}"


def reference_picture(store: RunStore, prompt: str) -> str:
    """Return the address of a reference picture of a run's prompts."""
    return f"/pictures/reference/{quote(store.name)}/{quote(prompt, safe='')}"


def both_captions(prompt: Prompt) -> str:
    """Join a prompt's captions in both languages."""
    return " / ".join(text for text in (prompt.ja, prompt.en) if text)


def source_cards(lang: Lang, sources: Sequence[Source], prompts: Sequence[Prompt]) -> Markup:
    """Draw a card per source: its own pictures of the same prompts, language, licence, size."""
    by_id = {prompt.id: prompt for prompt in prompts}
    return Markup('<div class="cards">{}</div>').format(
        Markup("").join(_source_card(lang, source, by_id) for source in sources)
    )


def _source_card(lang: Lang, source: Source, prompts: Mapping[str, Prompt]) -> Markup:
    previews = sorted((source.path / "previews").glob("*.png"))
    strip = Markup("").join(
        figure(f"/pictures/source/{quote(source.name)}/{quote(file.name)}", f"{source.name}: {shown}", shown)
        for file in previews
        for shown in [preview_caption(file.stem, prompts)]
    )
    if not previews:
        strip = Markup('<p class="quiet">{}</p>').format(t(lang, "no_previews"))
    languages = ", ".join(t(lang, f"language_{code}") if code in ("en", "ja") else code for code in source.languages)
    about = (
        languages or t(lang, "language_unknown"),
        source.licence or t(lang, "licence_unknown"),
        format_bytes(source.size),
    )
    return Markup('<article class="card"><h3>{}</h3><div class="strip six">{}</div><p>{}</p></article>').format(
        source.name, strip, " · ".join(about)
    )


def preview_caption(stem: str, prompts: Mapping[str, Prompt]) -> str:
    """Find a preview's caption: its name holds its prompt's id and language, `1f436-ja`, perhaps with a number."""
    parts = stem.split("-")
    prompt = next((prompts[part] for part in (stem, *parts) if part in prompts), None)
    if prompt is None:
        return stem
    language = next((part for part in parts if part in ("ja", "en")), None)
    return (getattr(prompt, language) if language else None) or both_captions(prompt)


def score_change(now: float | None, before: float | None, what: str) -> Markup:
    """Draw a difference in score as an arrow with its size; says against what."""
    if now is None or before is None:
        return Markup("")
    difference = now - before
    css, arrow = ("same", "＝") if abs(difference) < TINY else (("up", "▲") if difference > 0 else ("down", "▼"))
    return Markup('<span class="change {}" title="{}">{} {:+z.3f}</span>').format(css, what, arrow, difference)


def best_and_worst_prompts(individual: Individual, prompts: PromptSet, count: int = STRIP) -> list[Prompt]:
    """Choose the prompts that show an individual at its best and its worst, the best first."""
    if "ja" not in individual.scores or len(prompts) <= count:
        return list(prompts.prompts[:count])
    order = (-individual.scores["ja"].mean(axis=1)).argsort(kind="stable")
    half = count // 2
    return [prompts.prompts[row] for row in [*order[: count - half], *order[len(order) - half :]]]


def newest_offspring(lang: Lang, store: RunStore, latest: Sequence[Individual], best: Individual | None) -> Markup:
    """Draw the newest offspring, newest on the left: pictures, Japanese score, change against the best source."""
    pinned = pinned_prompts(store)
    tiles = []
    for individual in latest:
        strip = Markup("").join(model_picture(store, individual.id, prompt) for prompt in pinned[:STRIP])
        fate = (
            t(lang, "failed_one") if individual.error else t(lang, "entered" if individual.entered else "turned_away")
        )
        against = t(lang, "against_best_source", name=best.id) if best else ""
        tiles.append(
            Markup(
                '<article class="tile"><h4>{} <span class="number">{}</span> {}</h4><div class="strip four">{}</div>'
                '<p class="quiet">{}</p></article>'
            ).format(
                individual.id,
                format_score(individual.mean("ja")),
                score_change(individual.mean("ja"), best.mean("ja") if best else None, against),
                strip,
                fate,
            )
        )
    inner = Markup("").join(tiles) or Markup('<p class="quiet">{}</p>').format(t(lang, "nobody_yet"))
    return Markup('<h3 class="heading">{}</h3><div class="tiles">{}</div>').format(t(lang, "newest"), inner)


@dataclass(frozen=True)
class ComparedWith:
    """An individual to compare scores with, and what the comparison is called."""

    label: str
    individual: Individual


def prompt_pictures(lang: Lang, store: RunStore, individual: Individual, others: Iterable[ComparedWith]) -> Markup:
    """Draw every prompt's Japanese and English picture of the same noise, its score, and change against others."""
    prompts = store.prompts.niches
    others = list(others)
    scores = {kind: values.mean(axis=1) for kind, values in individual.scores.items()}
    theirs = [
        (other, other.individual.scores["ja"].mean(axis=1)) for other in others if "ja" in other.individual.scores
    ]
    order = (-scores["ja"]).argsort(kind="stable") if "ja" in scores else range(len(prompts))
    pairs = []
    for row in order:
        prompt = prompts.prompts[row]
        pictures = Markup("").join(
            figure(run_picture(store, individual.id, prompt.id, language), f"{individual.id}: {text}", text or "")
            for language, text in prompt.captions
        )
        numbers = [
            f"{t(lang, f'{kind}_short')} {format_score(float(values[row]))}"
            for kind in ("ja", "en", "consistency")
            if (values := scores.get(kind)) is not None
        ]
        changes = Markup(" ").join(
            Markup("<span>{} {}</span>").format(
                other.label, score_change(float(scores["ja"][row]), float(values[row]), other.label)
            )
            for other, values in theirs
            if "ja" in scores
        )
        pairs.append(
            Markup(
                '<article class="pair"><div class="strip two">{}</div><p>{}</p><p class="quiet">{}</p></article>'
            ).format(pictures, " · ".join(numbers), changes)
        )
    return Markup('<div class="pairs" tabindex="0" role="region" aria-label="{}">{}</div>').format(
        t(lang, "pictures_and_scores"), Markup("").join(pairs)
    )


def alert(text: str) -> Markup:
    """Draw what is wrong with what was typed, told to screen readers as it appears; nothing where nothing is."""
    return Markup('<p class="alert" role="alert">{}</p>').format(text) if text else Markup("")


def empty_message(text: str) -> Markup:
    """Draw what to do next, where there is nothing to show."""
    return Markup('<p class="empty">{}</p>').format(text)
