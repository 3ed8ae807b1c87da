"""The search for a better image itself, and what it found as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval.scorers import names
from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe
from studio.evaluation.picture_search import PictureWish, SearchedPicture, search_picture
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.inference_search.attempts import Attempt
from studio.runs.noise import picture_data
from studio.ui.common import html
from studio.ui.common.studio import Studio


@dataclass(frozen=True)
class WantedPicture:
    """What a search is to find, and whose picture it is.

    Attributes:
        label: what the page calls the model.
        recipe: what the model is made of.
        sources: its opened sources.
        wish: of what, and how many pictures.
        scorer: the name of who looks at them.
    """

    label: str
    recipe: Recipe
    sources: Mapping[str, Source]
    wish: PictureWish
    scorer: str


@dataclass(frozen=True)
class FoundPicture:
    """What was asked for and the best of all that was drawn, which may be the same, with where each is served."""

    wanted: WantedPicture
    asked: SearchedPicture
    best: SearchedPicture
    addresses: tuple[str, str]
    drawn: int


def search_on_page(
    studio: Studio,
    wanted: WantedPicture,
    *,
    on_attempt: Callable[[Sequence[Attempt]], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> FoundPicture:
    """Search with the studio's own pipeline and scorer; two pictures are kept for the page, with how they were made.

    Raises:
        M2N2Error: as `search_picture`; the scorer cannot be opened.
    """
    scorer, wish = studio.scorer(wanted.scorer), wanted.wish
    found = search_picture(
        wish,
        lambda request, settings: studio.previewer.draw(
            wanted.recipe, wanted.sources, [request], settings, scorer=scorer.weights_bytes
        )[0],
        scorer,
        on_attempt=on_attempt,
        is_stopped=is_stopped,
    )
    asked, best = next(one for one in found if one.attempt.number == 0), found[0]
    return FoundPicture(wanted, asked, best, (_kept(studio, wanted, asked), _kept(studio, wanted, best)), len(found))


def _kept(studio: Studio, wanted: WantedPicture, one: SearchedPicture) -> str:
    """Keep a picture for the page; returns its address."""
    candidate, wish = one.attempt.candidate, wanted.wish
    data = picture_data(wanted.label, wish.request(candidate), wish.language, wish.settings_of(candidate))
    assert one.image is not None  # the first one is always drawn, and the best is no worse
    return studio.drawn.keep(one.image, {**data, "recipe": wanted.recipe.digest})


def found_html(lang: Lang, found: FoundPicture) -> Markup:
    """Draw the picture as it was asked for, beside the best where that is another one."""
    wish = found.wanted.wish
    pictures = [_picture(lang, found.asked, found.addresses[0], wish.prompt, "better_as_asked")]
    if found.best.attempt.number:
        pictures.append(_picture(lang, found.best, found.addresses[1], wish.prompt, "better_found"))
        words = t(
            lang, "better_of", model=found.wanted.label, prompt=wish.prompt, n=found.drawn,
            scorer=names.label(found.wanted.scorer),
        )  # fmt: skip
    else:
        words = t(lang, "better_none", n=found.drawn)
    return Markup('<p class="better-of" role="status">{}</p><div class="better">{}</div>').format(
        words, Markup("").join(pictures)
    )


def _picture(lang: Lang, one: SearchedPicture, address: str, prompt: str, key: str) -> Markup:
    candidate = one.attempt.candidate
    words = t(
        lang, key, seed=candidate.seed, guidance=f"{candidate.guidance:g}", steps=candidate.steps,
        score=format_score(one.attempt.reward),
    )  # fmt: skip
    worded = t(lang, "better_worded", prompt=candidate.prompt) if candidate.prompt != prompt else ""
    return Markup("<div>{}<p>{}</p><p>{}</p></div>").format(html.figure(address, f"{words}: {prompt}"), words, worded)
