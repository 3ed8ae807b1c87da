"""The shortlist on the Archive page, and how it travels: Compare, Judge, Export, a client and back."""

import json

import gradio as gr
import pytest

from studio.analysis.selection import WallFilter
from studio.errors import RunError
from studio.i18n import LANGUAGES, t
from studio.judging.annotations import star
from studio.judging.reviews import parse_review
from studio.judging.votes import write_vote
from studio.ui.archive import shortlist as starred
from studio.ui.archive.individual import detail
from studio.ui.archive.wall import wall
from studio.ui.common.field_errors import field_of
from studio.ui.common.shortlist import shortlist_ids
from studio.ui.export import steps
from studio.ui.judge import results
from tests.voters import a_vote


@pytest.fixture
def chosen(studio):
    """Two of its models, starred; as their ids and digests, in the order of the shortlist."""
    with studio.run("first") as store:
        models = sorted(store.individuals()[:2], key=lambda one: -one.mean("ja"))
        for one in models:
            star(store, one, "Aya", on=True)
    return {one.id: one.recipe.digest for one in models}


def sent(chosen, by="<i>Sakura</i>"):
    """What a client sends of the page: picks the first, comments on both."""
    models = [
        {"recipe": digest, "pick": number == 0, "comment": f"<b>no. {number}</b>\n次"}
        for number, digest in enumerate(chosen.values())
    ]
    return json.dumps({"format": "m2n2-review", "version": 1, "by": by, "comment": "All fine.", "models": models})


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_bar_leads_to_the_pages_that_take_a_shortlist(studio, lang):
    assert t(lang, "shortlist_none") in starred.shortlist_bar(studio, lang, "first")
    with studio.run("first") as store:
        one, other = store.individuals()[:2]
        star(store, one, "Aya", on=True)
        bar = starred.shortlist_bar(studio, lang, "first")
        assert f'href="/{lang}/export?run=first&amp;id={one.id}&amp;shortlist=1"' in bar
        assert "/judge?" not in bar  # one alone cannot be compared
        star(store, other, "Aya", on=True)
    ids = shortlist_ids(studio, lang, "first", 8)
    bar = starred.shortlist_bar(studio, lang, "first")
    assert f'href="/{lang}/compare?run=first&amp;id={"%2C".join(ids)}"' in bar
    assert f'href="/{lang}/judge?run=first&amp;shortlist=1"' in bar


def test_a_shortlist_that_does_not_fit_says_who_is_left_out_and_how_to_choose(studio, chosen, monkeypatch):
    monkeypatch.setattr(starred, "MOST_COMPARED", 1)
    first, second = chosen
    bar = starred.shortlist_bar(studio, "en", "first")
    assert f'href="/en/compare?run=first&amp;id={first}"' in bar
    assert t("en", "finalists_before_votes", most=1, models=second) in bar.unescape()
    with studio.run("first") as store:
        write_vote(store.folder, a_vote(left=first, right=second, answer="right"))
    bar = starred.shortlist_bar(studio, "en", "first")
    assert f'href="/en/compare?run=first&amp;id={second}"' in bar
    assert t("en", "finalists_by_votes", most=1, models=first) in bar.unescape()


def test_compare_takes_as_many_as_fit_and_export_the_shortlist_alone(studio, chosen, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Info", said.append)
    assert shortlist_ids(studio, "en", "first", 8) == list(chosen)
    assert said == []
    assert shortlist_ids(studio, "en", "first", 1) == list(chosen)[:1]
    assert list(chosen)[1] in said[0]
    found, first = steps.first_choice(studio, "en", "first", None, starred=True)
    assert ([id for _, id in found], first) == (list(chosen), next(iter(chosen)))
    everyone, child = steps.first_choice(studio, "en", "first", None)
    assert len(everyone) > 2
    assert child == "0001" or child in {id for _, id in everyone}


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda studio: shortlist_ids(studio, "en", "first", 8), "models"),
        (lambda studio: steps.first_choice(studio, "en", "first", None, starred=True), "only"),
        (lambda studio: starred.review_file(studio, "en", "first"), None),
    ],
)
def test_without_stars_each_page_says_how_to_get_a_shortlist(studio, ask, field):
    with pytest.raises(RunError, match="no shortlist yet") as caught:
        ask(studio)
    assert field_of(caught.value) == field


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_client_said_is_shown_with_the_model_on_the_wall_and_after_votes(studio, chosen, lang):
    page = starred.review_file(studio, lang, "first")
    assert page.name == f"first-review-{lang}.html"
    said = starred.received(studio, lang, "first", parse_review(f"Hi!\n{sent(chosen)}\n"))
    assert said == t(lang, "review_by", name="<i>Sakura</i>", comments=3, picks=1)
    first, second = chosen
    shown = detail(studio, lang, "first", first).said
    assert "&lt;b&gt;no. 0&lt;/b&gt;\n次" in shown
    assert t(lang, "review_picked") in shown
    assert t(lang, "review_picked") not in detail(studio, lang, "first", second).said
    assert wall(studio, lang, "first", WallFilter(show="all")).cards.count("✓1") == 1
    for everywhere in (
        starred.reviews_of(studio, lang, "first"),
        results.page(studio, lang, "first", "Aya", "ja", done=False),
    ):
        assert t(lang, "review_by", name="&lt;i&gt;Sakura&lt;/i&gt;", comments=3, picks=1) in everywhere
        assert "All fine." in everywhere
        assert "<i>" not in everywhere
