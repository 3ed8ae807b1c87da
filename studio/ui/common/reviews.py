"""What clients said on the page that was sent to them, as pages show it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from studio.i18n import Lang, t
from studio.judging.reviews import Opinion, Review


def review_said(lang: Lang, review: Review) -> str:
    """Say how many comments and picks a client gave."""
    return t(lang, "review_by", name=review.by, comments=review.comments, picks=review.picks)


def reviews_html(lang: Lang, reviews: Sequence[Review]) -> Markup:
    """How much each client said, and what they said in all."""
    return Markup("").join(
        Markup('<div class="said"><p><b>{}</b></p>{}</div>').format(
            review_said(lang, review),
            Markup('<p class="as-written">{}</p>').format(review.comment) if review.comment else "",
        )
        for review in reviews
    )


def opinions_html(lang: Lang, opinions: Sequence[Opinion]) -> Markup:
    """What clients said of one model."""
    picked = Markup('<span class="tag">✓ {}</span>').format(t(lang, "review_picked"))
    return Markup("").join(
        Markup('<p class="as-written">{} <b>— {}</b> {}</p>').format(one.comment, one.by, picked if one.pick else "")
        for one in opinions
    )
