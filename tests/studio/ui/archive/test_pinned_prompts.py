"""Prompts pinned for a run: those chosen, in their order, or a few of the whole set."""

from __future__ import annotations

import shutil

import pytest

from studio.errors import RunError
from studio.judging.pinned_prompts import PINNED_FILE, pin_prompts, pinned_prompts
from studio.runs.store import open_run


@pytest.fixture
def store(finished, tmp_path):
    shutil.copytree(finished.runs / "first", tmp_path / "first")
    found = open_run(tmp_path / "first")
    yield found
    found.close()


def test_a_few_of_the_set_until_some_are_pinned(store):
    ids = store.prompts.niches.ids
    assert len(ids) == 6
    assert [prompt.id for prompt in pinned_prompts(store)] == [ids[0], ids[2], ids[3], ids[5]]
    pin_prompts(store, [ids[4], ids[1], ids[4]])
    assert [prompt.id for prompt in pinned_prompts(store)] == [ids[4], ids[1]]
    pin_prompts(store, [])
    assert len(pinned_prompts(store)) == 4


@pytest.mark.parametrize("content", ["", "[", '{"a": 1}', "[1, null]", '["absent"]', "\x00"])
def test_a_damaged_file_pins_nothing(store, content):
    (store.folder / PINNED_FILE).write_text(content)
    assert len(pinned_prompts(store)) == 4


def test_what_the_run_does_not_have_and_too_many_are_refused(store):
    with pytest.raises(RunError, match="no prompt absent"):
        pin_prompts(store, ["absent"])
    with pytest.raises(RunError, match="at most 12"):
        pin_prompts(store, list(map(str, range(13))))
