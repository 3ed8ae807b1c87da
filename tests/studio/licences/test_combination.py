"""Which licences go together in a merge that is published: a table that can be read beside their texts."""

from itertools import product

import pytest

from studio.i18n import LANGUAGES
from studio.licences.combination import Clash, ClashSide, LicensedModel, find_clashes
from studio.licences.names import known_or_guessed

APACHE, MIT, ZERO, BY, SA = "apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0"
NC, NC_SA, ND, NC_ND = "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0"
RAIL, SD_RAIL, FAIR, NOOB = "openrail++", "creativeml-openrail-m", "faipl-1.0-sd", "faipl-1.0-sd-noobai"
COMMUNITY, RESEARCH = "stabilityai-ai-community", "sai-nc-community"
JAPANESE, ANIMA = "japanese-stable-diffusion-xl", "circlestone-labs-non-commercial"
UNKNOWN = "our-house-rules"
FREE = (APACHE, MIT, ZERO, BY)
GO_TOGETHER = list(product(FREE, (*FREE, SA, NC, NC_SA, RAIL, FAIR, NOOB, COMMUNITY, ANIMA)))


def between(one, other):
    """The kinds of clashes of a merge of two models under these licences."""
    models = [LicensedModel("a", (known_or_guessed(one),)), LicensedModel("b", (known_or_guessed(other),))]
    return [clash.kind for clash in find_clashes(models)]


@pytest.mark.parametrize(("one", "other"), GO_TOGETHER)
def test_who_asks_for_credit_alone_goes_with_everybody_who_lets_merges_be_shared(one, other):
    assert between(one, other) == between(other, one) == []


@pytest.mark.parametrize("other", [APACHE, SA, NC, RAIL, FAIR, COMMUNITY, UNKNOWN])
@pytest.mark.parametrize("one", [ND, NC_ND, "house-no-derivatives"])
def test_no_derivatives_goes_with_nobody(one, other):
    assert between(one, other) == between(other, one) == ["no_derivatives"]


@pytest.mark.parametrize(
    ("one", "other"), [(SA, NC_SA), (SA, FAIR), (NC_SA, FAIR), (FAIR, NOOB), (NC_SA, NOOB), (FAIR, ANIMA), (SA, "x-sa")]
)
def test_a_merge_bears_one_licence_of_two_that_each_want_it(one, other):
    assert between(one, other) == between(other, one) == ["two_share_alike"]


@pytest.mark.parametrize(
    ("bears", "adds", "added"),
    [
        (SA, NC, "non_commercial"),
        (SA, RAIL, "use_restrictions"),
        (SA, SD_RAIL, "use_restrictions"),
        (SA, COMMUNITY, "revenue_limit"),
        (NC_SA, RAIL, "use_restrictions"),
        (NC_SA, RESEARCH, "own_agreement"),
        (FAIR, NC, "non_commercial"),
        (FAIR, COMMUNITY, "revenue_limit"),
        (FAIR, JAPANESE, "commercial_agreement"),
        (ANIMA, RAIL, "use_restrictions"),
    ],
)
def test_nothing_is_added_to_a_licence_that_merges_must_bear(bears, adds, added):
    assert between(bears, adds) == between(adds, bears) == ["added_terms"]
    models = [LicensedModel("a", (known_or_guessed(adds),)), LicensedModel("b", (known_or_guessed(bears),))]
    (clash,) = find_clashes(models)
    assert clash == Clash("added_terms", ClashSide("b", bears), ClashSide("a", adds), (added,))
    assert clash.models == ("b", "a")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SA, SA), (NC, NC_SA), (NC, NC), (FAIR, FAIR), (NOOB, NOOB), (FAIR, RAIL), (FAIR, SD_RAIL), (NOOB, RAIL),
        (NOOB, NC), (RAIL, SD_RAIL), (RAIL, NC), (RAIL, COMMUNITY), (RAIL, RESEARCH), (RAIL, JAPANESE), (ANIMA, NC),
    ],
)  # fmt: skip
def test_the_others_go_together(one, other):
    assert between(one, other) == between(other, one) == []


@pytest.mark.parametrize("other", [APACHE, SA, FAIR, NC, UNKNOWN])
def test_of_what_is_not_known_nobody_can_say_that_it_clashes(other):
    assert between(UNKNOWN, other) == []


def test_a_model_that_is_itself_a_merge_may_clash_within_itself():
    both = LicensedModel("a", (known_or_guessed(SA), known_or_guessed(FAIR)))
    assert [clash.models for clash in find_clashes([both], changed=False)] == [("a",)]


def test_what_is_not_changed_may_be_passed_on():
    one = LicensedModel("a", (known_or_guessed(ND),))
    assert find_clashes([one], changed=False) == []
    assert [clash.kind for clash in find_clashes([one])] == ["no_derivatives"]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("one", "other"), [(ND, APACHE), (SA, FAIR), (SA, RAIL)])
def test_a_clash_names_models_and_licences_in_both_languages(lang, one, other):
    models = [LicensedModel("さくら", (known_or_guessed(one),)), LicensedModel("b", (known_or_guessed(other),))]
    (clash,) = find_clashes(models)
    sentence = clash.sentence(lang)
    assert "さくら" in sentence
    assert one in sentence
    assert (other in sentence) == (other != APACHE)
