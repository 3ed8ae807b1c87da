"""What changed since an export's birth, in numbers small enough to check by hand."""

import numpy as np
import pytest

from eval.prompts.prompt_set import PromptSet
from pipelines.generation.settings import GenerationSettings
from studio.exporting.certificate import BirthCertificate
from studio.monitoring.drift import drift, is_repeated, largest_changes, repeat_noise

HERE, THERE = {"torch": "2.9", "device": "cpu"}, {"torch": "3.0", "device": "cpu"}
PROMPTS = [{"id": id, "category": "x", "ja": id, "en": id} for id in ("cake", "dog", "train")]


def scores(ja, en=(0.5, 0.5, 0.5)):
    return {"ja": [[value] for value in ja], "en": [[value] for value in en]}


def birth(**changes):
    fields = {
        "run": "first",
        "individual": "0001",
        "born": "2026-01-01T00:00:00Z",
        "exported": "2026-01-02T00:00:00Z",
        "prompts": PromptSet(name="three", prompts=PROMPTS),
        "noises": 1,
        "rotation": 0,
        "settings": GenerationSettings(),
        "scorer": {"name": "judge"},
        "scores": scores((0.25, 0.5, 0.75)),
        "environment": HERE,
    }
    return BirthCertificate.model_validate(fields | changes)


def event(ja, *, repeat=None, environment=HERE, damaged=None):
    return {
        "when": "2026-02-01T00:00:00+00:00",
        "environment": environment,
        "damaged": damaged or {},
        **({} if damaged else {"scores": scores(ja), "repeat": scores(repeat) if repeat else None}),
    }


def test_the_same_bits_are_equal():
    found = drift(birth(), [event((0.25, 0.5, 0.75))])
    assert found.verdict == "equal"
    assert found.means["ja"].then == found.means["ja"].now == 0.5
    assert found.order == []
    assert found.noise is None
    assert found.environment == {}


def test_within_what_a_repeat_moves_is_noise_and_beyond_it_is_not():
    repeat = (0.25, 0.5, 0.75 + 2**-10)  # the same files, drawn otherwise
    within = drift(birth(), [event((0.25 + 2**-10, 0.5, 0.75), repeat=(0.25 + 2**-10, 0.5, 0.75 + 2**-10))])
    assert within.verdict == "noise"
    assert within.noise == {"ja": 2**-10, "en": 0.0}
    assert within.repeats == 1
    beyond = drift(
        birth(), [event((0.25, 0.5, 0.75), repeat=repeat), event((0.25, 0.5 - 2**-9, 0.75), environment=THERE)]
    )
    assert beyond.verdict == "changed"
    assert beyond.order == [1]
    assert beyond.means["ja"].difference == pytest.approx(-(2**-9) / 3)
    assert beyond.environment == {"torch": ("2.9", "3.0")}
    assert np.array_equal(beyond.prompts["ja"], [0, -(2**-9), 0])


def test_nothing_measured_twice_leaves_no_room_for_noise():
    assert drift(birth(), [event((0.25, 0.5, 0.75 + 2**-40))]).verdict == "changed"


def test_other_days_are_no_repeats_or_a_change_would_be_its_own_excuse():
    days = [event((0.25, 0.5, 0.75)), event((0.25, 0.5, 0.5)), event((0.25, 0.5, 0.5))]
    assert repeat_noise(days) == (None, 0)
    assert [drift(birth(), days, number).verdict for number in range(3)] == ["equal", "changed", "changed"]
    assert not is_repeated(days, HERE)
    assert is_repeated([event((1, 1, 1), repeat=(1, 1, 1))], HERE)
    assert not is_repeated([event((1, 1, 1), repeat=(1, 1, 1))], THERE)


def test_damaged_files_have_no_scores_and_make_no_noise():
    events = [event(None, damaged={"unet/x.safetensors": "missing"}), event((0.25, 0.5, 0.75))]
    assert drift(birth(), events, 0).verdict == "damaged"
    assert drift(birth(), events, 0).means == {}
    assert drift(birth(), events, 1).verdict == "equal"
    assert repeat_noise(events) == (None, 0)


def test_without_scores_at_birth_the_first_measurement_takes_their_place():
    events = [event((0.25, 0.5, 0.75)), event((0.25, 0.5, 0.75)), event((0.25, 0.5, 0.5), environment=THERE)]
    assert [drift(birth(scores={}), events, number).verdict for number in range(3)] == ["first", "equal", "changed"]


def test_prompts_come_by_the_size_of_their_change():
    assert largest_changes(scores((0.0, 0.0, 0.0)), scores((0.25, 0.0, 0.5), (0.5, 0.5, 0.5))) == [2, 0]
