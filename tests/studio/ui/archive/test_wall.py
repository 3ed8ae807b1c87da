"""The wall of models: of those that look alike one has a card, with the others behind it."""

import pytest

from studio.analysis import look_alikes
from studio.analysis.selection import WallFilter
from studio.i18n import LANGUAGES, t
from studio.judging.annotations import REJECTED, annotate, star
from studio.ui.archive.wall import wall, why_nobody

SOURCES = {"base", "flat", "ja", "real"}


@pytest.fixture
def all_alike(monkeypatch):
    """Whoever is no source looks like whoever comes before, as in a run that has settled."""
    monkeypatch.setattr(look_alikes, "LOOK_ALIKE", 100.0)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_models_that_look_alike_have_one_card(studio, lang, all_alike):
    everyone = wall(studio, lang, "first", WallFilter(show="all", fold=False))
    assert everyone.cards.count("<article") == everyone.found == len(everyone.ids)
    assert "<details" not in everyone.cards
    found = wall(studio, lang, "first", WallFilter(show="all"))
    children = [id for id in everyone.ids if id not in SOURCES]
    assert len(children) > 1
    assert set(found.ids) == SOURCES | {everyone.ids[0]}
    assert found.found == everyone.found
    note = t(lang, "looks_folded", n=found.found, looks=len(found.ids))
    assert note in found.cards.unescape()
    behind = set(everyone.ids) - set(found.ids)
    assert all(f'<button type="button" data-id="{id}">{id} ' in found.cards for id in behind)


def test_who_is_starred_has_a_card_of_its_own(studio, all_alike):
    shown = wall(studio, "en", "first", WallFilter(show="all")).ids
    hidden = next(id for id in wall(studio, "en", "first", WallFilter(show="all", fold=False)).ids if id not in shown)
    with studio.run("first") as store:
        star(store, store.individual(hidden), "Aya", on=True)
    assert hidden in wall(studio, "en", "first", WallFilter(show="all")).ids


def test_who_is_rejected_stands_for_nobody_who_is_not(studio, all_alike):
    newest = WallFilter(show="all", sort="newest")  # the sources come last
    first, second = wall(studio, "en", "first", WallFilter(show="all", sort="newest", fold=False)).ids[:2]
    assert first in wall(studio, "en", "first", newest).ids
    with studio.run("first") as store:
        annotate(store, store.individual(first), rater="Aya", stars=0, tags=REJECTED, note="")
    shown = wall(studio, "en", "first", newest).ids
    assert first not in shown
    assert second in shown


@pytest.mark.parametrize("fold", [True, False])
def test_an_empty_wall_says_why_whether_looks_are_folded_or_not(fold):
    assert why_nobody(WallFilter(fold=fold)) == "nobody_yet"
    assert why_nobody(WallFilter(fold=fold, sort="votes")) == "no_votes_yet"
    assert why_nobody(WallFilter(fold=fold, stars=5)) == "nobody_fits"
