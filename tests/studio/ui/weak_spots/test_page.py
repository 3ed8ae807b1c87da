"""The Weak spots page over a finished run."""

import html
from urllib.parse import parse_qs, urlparse

import pytest

from eval.prompts.prompt_set import load_prompts
from pipelines.errors import M2N2Error
from studio.analysis.weak_spots import Suggestion, best_by_prompt
from studio.i18n import LANGUAGES
from studio.ui.weak_spots import page as weak


def addresses(shown):
    return [urlparse(html.unescape(part.split('"')[0])) for part in shown.split('href="')[1:]]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_run_is_surveyed_in_both_languages(finished, lang, language):
    found = weak.survey(finished, lang, "first", language)
    with finished.run("first") as store:
        prompts = store.prompts.niches
    assert ("of 6 prompts" if lang == "en" else "6 個中") in found.headline
    assert "judge" in found.headline
    assert len(found.by_prompt) == 6
    assert [row[3] for row in found.by_prompt] == sorted(row[3] for row in found.by_prompt)
    assert len(found.by_category) == len(found.plot) == len(set(prompts.categories))
    marked = [row for row in found.by_prompt if row[0]]
    assert 1 <= len(marked) <= 2
    assert found.pictures.count("<article") == len(marked)
    assert found.pictures.count("<img") >= 2 * len(marked)


def test_suggestions_lead_to_a_run_with_their_setting():
    said = [
        Suggestion("noise", {"noise": "0.050", "individual": "0.020"}, 4),
        Suggestion("undrawn", {"n": "2", "usual": "0.2", "prompt": "<b>", "score": "0.1", "source": "ja"}),
    ]
    shown = weak.advice("en", "first", said)
    noise, undrawn, shelf = addresses(shown)
    assert parse_qs(noise.query) == {"fork": ["first"], "noises": ["4"]}
    assert parse_qs(undrawn.query) == {"fork": ["first"]}
    assert shelf.path == "/en/sources"
    assert "4 seeds per prompt" in shown
    assert "&lt;b&gt;" in shown
    assert "Nothing stands out" in weak.advice("en", "first", [])


def test_the_weak_prompts_become_a_set_of_their_own(finished):
    path, n = weak.save_weak(finished, "first", "ja")
    with finished.run("first") as store:
        found = best_by_prompt(store.individuals(), store.prompts.niches.prompts, "ja")
    assert load_prompts(path).ids == [spot.prompt.id for spot in found if spot.weak]
    assert len(load_prompts(path)) == n
    assert weak.save_weak(finished, "first", "ja") == (path, n)
    with pytest.raises(M2N2Error, match="no run called"):
        weak.save_weak(finished, "other", "ja")


def test_reference_pictures_of_a_run_are_served_where_it_has_them(finished, served_pictures):
    client = served_pictures(finished)
    for address in ("first/absent", "other/1f9ad", "first/1f9ad"):  # this run's prompts name no pictures
        assert client.get(f"/pictures/reference/{address}").status_code == 404
