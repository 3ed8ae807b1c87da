"""What the form offers: every row is a component, fits the run file's limits, and has words in both languages."""

import asyncio
from dataclasses import asdict, fields, replace

import gradio as gr
import pytest

from eval.scorers.catalogue import RECOMMENDED, REPORTER, SCORER, recommended
from studio.errors import ConfigError
from studio.i18n import LANGUAGES, t, words
from studio.runs.config import embedded
from studio.runs.run_keys import RUN_KEYS
from studio.ui.common.studio import Studio
from studio.ui.evolve.fields import fields_of
from studio.ui.evolve.form import EvolveForm, form_of, typed_form
from studio.ui.evolve.form_options import BEYOND_THE_PAPER, NUMBERS


@pytest.fixture(params=LANGUAGES)
def lang(request):
    return request.param


@pytest.fixture
def components(lang, tmp_path):
    async def lay_out():  # Gradio leaves a loop of its own open where none runs
        with gr.Blocks():
            return fields_of(lang, Studio(tmp_path))

    return asyncio.run(lay_out())


def test_every_field_of_the_form_is_a_component(components):
    assert set(components) == {field.name for field in fields(EvolveForm)}


@pytest.mark.parametrize("option", NUMBERS, ids=lambda one: one.key)
def test_every_number_is_offered_within_the_limits_of_its_key(option, components, lang):
    component, row = components[option.field], RUN_KEYS[option.key]
    assert component.label == t(lang, option.label)
    assert component.value == (0 if option.from_preset else row.default)
    assert component.minimum == option.lowest
    lowest = row.at_least if option.least is None else option.least
    assert option.from_preset or option.lowest == lowest >= row.at_least
    if option.reach is not None:
        assert component.maximum == option.reach <= (row.at_most or option.reach)


def test_every_step_beyond_the_paper_is_a_tick(components, lang):
    assert components["options"].choices == [(t(lang, one.label), one.name) for one in BEYOND_THE_PAPER]
    ticks = {key for key in words(lang) if key.startswith("option_")}
    assert ticks == {one.label for one in BEYOND_THE_PAPER}


@pytest.mark.parametrize("one", BEYOND_THE_PAPER, ids=lambda one: one.name)
def test_a_tick_changes_what_the_paper_has_and_is_seen_again(one):
    assert all(value != RUN_KEYS[key].default for key, value in one.changes.items())
    plain = form_of(embedded())
    assert plain.options == []
    config = EvolveForm(**{**vars(plain), "options": [one.name]}).config()
    assert config == plain.config().changed(one.changes)
    assert form_of(config).options == [one.name]


@pytest.mark.parametrize(("field", "usual"), [("scorer", SCORER), ("reporter", REPORTER)])
def test_every_recommended_scorer_is_offered_and_the_usual_one_named(field, usual, components, lang):
    (words, _), *offered = components[field].choices
    assert offered == [(one.label, one.name) for one in RECOMMENDED]
    assert words == t(lang, f"{field}_embedded", model=recommended(usual).short_name)


@pytest.mark.parametrize(
    ("typed", "taken"), [(None, 1), ("", 1), (0, 1), (7, 7), (7.4, 7), (5000, 1000), (float("nan"), 1), ("12", 1)]
)
def test_a_number_is_taken_to_what_its_field_takes(typed, taken):
    form = asdict(form_of(embedded()))
    assert typed_form({**form, "evaluations": typed}).evaluations == taken
    assert typed_form({**form, "alpha": 0.5, "seed": 10**6, "guidance": None}) == typed_form(
        {**form, "alpha": 0.5, "seed": 10**6, "guidance": 0}
    )


@pytest.mark.parametrize("change", [{"pictures": "huge"}, {"sources": "ja"}, {"own": 5}, {"options": [1]}])
def test_what_no_page_sends_is_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        typed_form({**asdict(form_of(embedded())), **change})


def test_steps_that_a_browser_sends_as_a_float_are_a_whole_number():
    form = replace(form_of(embedded()), steps=2.0)
    assert repr(form.settings.steps) == "2"
    assert form.config().pictures.steps == 2
