"""What the form offers: every row is a component, fits the run file's limits, and has words in both languages."""

import asyncio
from dataclasses import fields, replace

import gradio as gr
import pytest

from eval.scorers.catalogue import RECOMMENDED, REPORTER, SCORER, recommended
from studio.errors import ConfigError
from studio.i18n import LANGUAGES, t, words
from studio.runs.config import embedded
from studio.runs.run_keys import RUN_KEYS
from studio.ui.common.studio import Studio
from studio.ui.new_run.fields import fields_beyond_the_paper, further_fields, simple_fields
from studio.ui.new_run.form import RunForm, form_of
from studio.ui.new_run.form_options import BEYOND_THE_PAPER, NUMBERS
from studio.ui.new_run.form_values import shown_values, typed_form


@pytest.fixture(params=LANGUAGES)
def lang(request):
    return request.param


@pytest.fixture
def components(lang, tmp_path):
    async def lay_out():  # Gradio leaves a loop of its own open where none runs
        with gr.Blocks():
            parts = simple_fields(lang), fields_beyond_the_paper(lang, Studio(tmp_path)), further_fields(lang)
        return {name: component for fields in parts for name, component in fields.items()}

    return asyncio.run(lay_out())


def test_every_field_of_the_form_is_a_component(components):
    ticks = {one.field for one in BEYOND_THE_PAPER}
    assert set(components) == {field.name for field in fields(RunForm)} - {"options"} | ticks
    assert set(shown_values(form_of(embedded()))) == set(components)


@pytest.mark.parametrize("option", NUMBERS, ids=lambda one: one.key)
def test_every_number_is_offered_within_the_limits_of_its_key(option, components, lang):
    component, row = components[option.field], RUN_KEYS[option.key]
    assert component.label == t(lang, option.label)
    assert component.value == (0 if option.from_preset else row.default)
    # A box takes what is typed, and the form fits it: Gradio would refuse it in English.
    assert component.minimum == (None if option.reach is None else option.lowest)
    lowest = row.at_least if option.least is None else option.least
    assert option.from_preset or option.lowest == lowest >= row.at_least
    if option.reach is not None:
        assert component.maximum == option.reach <= (row.at_most or option.reach)


@pytest.mark.parametrize("one", BEYOND_THE_PAPER, ids=lambda one: one.name)
def test_every_step_beyond_the_paper_is_a_tick_that_says_what_one_gets(one, components, lang):
    tick = components[one.field]
    assert (tick.value, tick.label, tick.info) == (False, t(lang, one.label), t(lang, one.gain))


@pytest.mark.parametrize("beginning", ["option_", "gain_"])
def test_there_are_no_words_for_a_step_that_is_not_offered(beginning, lang):
    assert {key for key in words(lang) if key.startswith(beginning)} == {
        beginning + one.name for one in BEYOND_THE_PAPER
    }


@pytest.mark.parametrize("one", BEYOND_THE_PAPER, ids=lambda one: one.name)
def test_a_tick_changes_what_the_paper_has_and_is_seen_again(one):
    assert all(value != RUN_KEYS[key].default for key, value in one.changes.items())
    plain = form_of(embedded())
    assert plain.options == []
    config = RunForm(**{**vars(plain), "options": [one.name]}).config()
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
    form = shown_values(form_of(embedded()))
    assert typed_form({**form, "evaluations": typed}).evaluations == taken
    assert typed_form({**form, "alpha": 0.5, "seed": 10**6, "guidance": None}) == typed_form(
        {**form, "alpha": 0.5, "seed": 10**6, "guidance": 0}
    )


@pytest.mark.parametrize("change", [{"pictures": "huge"}, {"sources": "ja"}, {"own": 5}, {"option_beta": "?"}])
def test_what_no_page_sends_is_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        typed_form({**shown_values(form_of(embedded())), **change})


def test_a_form_is_read_as_it_was_shown():
    form = replace(form_of(embedded()), options=["early_rejection", "beta"], name="桜")
    assert typed_form(shown_values(form)) == form


def test_steps_that_a_browser_sends_as_a_float_are_a_whole_number():
    form = replace(form_of(embedded()), steps=2.0)
    assert repr(form.settings.steps) == "2"
    assert form.config().pictures.steps == 2
