"""A run goes on as it began or says what has changed: sources, scorer, files, programs, threads, files cut under it."""

import json
import logging
import os
import shutil
import sqlite3

import pytest
import torch
import yaml

from pipelines.checkpoints.sources import open_network
from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile
from studio.conditions.agreement import Agreement, accepted_note
from studio.conditions.difference import Difference, differences, sentence
from studio.conditions.record import conditions_now, conditions_then, kept_threads
from studio.errors import RunError
from studio.execution.recording import FAILURES_IN_A_ROW
from studio.networks.config import load
from studio.networks.task import carry_out, create, open_any
from tests.conftest import stop_after
from tests.networks import network

SCORER = """
import pathlib, torch
SEEN = pathlib.Path(__file__).with_name("threads")

def score(weights):
    with open(SEEN, "a") as seen:
        seen.write(f"{torch.get_num_threads()} ")
    return [1 - min(1, abs(value - 1)) for name in ("first", "second") for value in weights[name].tolist()]

def unseen(weights):
    return score(weights)[:2]

def pure(weights):
    if SEEN.exists() and len(SEEN.read_text().split()) == 2:  # the sources
        raise ValueError("no child is any good")
    return score(weights)
"""


@pytest.fixture
def made(tmp_path):
    """Gives a new run over two networks; their folders lie beside it."""
    ones, zeros, steps = torch.ones(8), torch.zeros(8), torch.tensor([3])
    network(tmp_path / "left", {"first": ones, "second": zeros, "steps": steps})
    network(tmp_path / "right", {"first": zeros, "second": ones, "steps": steps})
    (tmp_path / "score.py").write_text(SCORER)

    def make(name="run", **changes):
        asked = {"kind": "any", "sources": ["left", "right"], "scorer": "score.py:score", "archive": 4, "seed": 2}
        (tmp_path / "asked.yaml").write_text(yaml.safe_dump({**asked, "evaluations": 8, **changes}))
        return create(tmp_path / name, load(tmp_path / "asked.yaml"))

    return make


def ended(store):
    """What must not depend on what came between, to the last bit."""
    return [(one.id, one.recipe.to_json(), one.error, one.alive) for one in store.individuals()], store.state.search


def flip_a_bit(file):
    """Change a number in a file that keeps its size and its time of change."""
    facts = file.stat()
    with open(file, "r+b") as opened:
        opened.seek(-2, os.SEEK_END)
        last = opened.read(1)[0]
        opened.seek(-2, os.SEEK_END)
        opened.write(bytes([last ^ 1]))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)


def test_a_changed_source_is_named_and_the_run_goes_on_once_it_is_back(made, m2n2, tmp_path):
    whole, store = made("whole"), made()
    carry_out(whole)
    carry_out(store, stop_after(3))
    file = tmp_path / "right" / "model.safetensors"
    shutil.copy2(file, tmp_path / "kept")
    flip_a_bit(file)
    done = m2n2("evolve", "--resume", "--out", store.folder)
    assert done.returncode == 1
    assert "The weights of right (model) are others: they were sha256" in done.stderr
    assert "--accept" in done.stderr
    assert (store.count(), store.state.status) == (3, "failed")
    assert not any(one.error for one in store.individuals())
    shutil.copy2(tmp_path / "kept", file)
    assert m2n2("evolve", "--resume", "--out", store.folder).returncode == 0
    assert ended(store) == ended(whole)
    assert store.state.accepted == []
    assert store.state.differences == []


def test_who_says_why_goes_on_and_the_statement_stays_with_the_run(made, m2n2, tmp_path):
    store = made()
    carry_out(store, stop_after(3))
    flip_a_bit(tmp_path / "right" / "model.safetensors")
    done, told = m2n2("evolve", "--resume", "--out", store.folder, "--accept", "mended", "--json", json_output=True)
    assert (done.returncode, told["status"], told["done"]) == (0, "done", 8)
    assert not any(one["error"] for one in told["individuals"])
    (statement,) = told["accepted"]
    assert (statement["why"], statement["after"]) == ("mended", 3)
    assert [one["kind"] for one in statement["differences"]] == ["weights"]
    assert "mended" in accepted_note("ja", statement)
    now = open_network(tmp_path / "right").components["model"].sha256
    pinned = [one["recipe"]["sources"][1]["sha256"]["model"] for one in told["individuals"]]
    assert [hash == now for hash in pinned] == [False] * 5 + [True] * 5  # two sources, three offspring; five after it
    assert m2n2("evolve", "--resume", "--out", store.folder).returncode == 0  # said once


def test_a_statement_without_a_resume_or_without_words_is_refused(m2n2, made):
    assert m2n2("evolve", "--preset", "embedded", "--accept", "why").returncode == 2
    assert m2n2("evolve", "--resume", "--out", made().folder, "--accept", " ").returncode == 2


def test_the_same_bytes_at_another_time_are_no_difference(made, tmp_path):
    store = made()
    carry_out(store, stop_after(3))
    os.utime(tmp_path / "right" / "model.safetensors")
    shutil.copy2(tmp_path / "left" / "model.safetensors", tmp_path / "copy")
    os.replace(tmp_path / "copy", tmp_path / "left" / "model.safetensors")
    carry_out(store)
    assert store.state.status == "done"


def test_what_the_hash_cache_believes_is_read_again_when_asked(made, tmp_path, monkeypatch):
    store = made()
    carry_out(store, stop_after(3))
    read, read_into = [], TensorFile.read_into

    def noted(self, key, start, memory):
        read.append(key)
        read_into(self, key, start, memory)

    monkeypatch.setattr(TensorFile, "read_into", noted)
    sources = store.config.open_sources()
    conditions_now(sources, {})
    assert read == []
    conditions_now(sources, {}, reread=True)
    assert sorted(set(read)) == ["first", "second", "steps"]


def test_another_scorer_another_file_and_another_program_are_named(made, tmp_path, monkeypatch):
    store = made(reporter="score.py:unseen")
    carry_out(store, stop_after(3))
    monkeypatch.setattr("studio.conditions.record.package_versions", lambda: {"torch": "1.0"})
    (tmp_path / "left" / "config.json").write_text('{"model_type": "other"}')
    (tmp_path / "score.py").write_text(SCORER + "# changed")
    with pytest.raises(RunError) as refused:
        carry_out(open_any(store.folder))
    for words in ("The file reporter", "torch was version", "now it is 1.0"):
        assert words in str(refused.value)
    (tmp_path / "right").rename(tmp_path / "middle")
    content = yaml.safe_load((store.folder / "run.yaml").read_text())
    content["sources"] = [str(tmp_path / "left"), str(tmp_path / "middle")]
    (store.folder / "run.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(RunError, match=r"run.yaml now names left, middle"):
        carry_out(open_any(store.folder), accept="there is nothing to accept in that")


def test_a_file_that_moved_with_its_run_is_no_difference_and_another_one_is(tmp_path):
    for place, text in (("here", "a"), ("there", "a"), ("elsewhere", "b")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "prompts.yaml").write_text(text)
    here, there, elsewhere = (
        conditions_now({}, {"prompts": tmp_path / place / "prompts.yaml"}) for place in ("here", "there", "elsewhere")
    )
    assert differences(here, there) == []
    (found,) = differences(here, elsewhere)
    assert (found.kind, found.name) == ("file", "prompts (prompts.yaml)")


def test_every_kind_of_difference_is_said_in_both_languages(made):
    store = made(evaluations=0)
    carry_out(store)
    then = conditions_then(store)
    now = then.model_copy(
        update={
            "files": {"prompts /a": "1" * 64},
            "machine": {"device": "cuda", "processor": "other", "instructions": "NONE"},
            "sources": {name: one.model_copy(update={"documents": "2" * 64}) for name, one in then.sources.items()},
        }
    )
    found = differences(then, now)
    assert [one.kind for one in found] == ["documents", "documents", "file", "device", "processor", "instructions"]
    assert differences(then, then) == []
    kinds = Difference.model_fields["kind"].annotation.__args__
    for kind in kinds:
        one = Difference(kind=kind, name="NAME", was="WAS", now="NOW")
        assert ("NOW" if kind != "family" else "NAME") in sentence("en", one) != sentence("ja", one)


def test_the_number_of_threads_is_kept(made, tmp_path):
    store, before = made(), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        carry_out(store, stop_after(3))
        torch.set_num_threads(1)
        carry_out(store)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert set((tmp_path / "threads").read_text().split()) == {"3"}


def test_a_run_from_before_the_record_says_what_cannot_be_checked(made, tmp_path, caplog):
    store = made()
    carry_out(store, stop_after(3))
    with sqlite3.connect(store.folder / "run.db") as database:
        database.execute("DELETE FROM state WHERE key = 'conditions'")
    database.close()
    with kept_threads(store):
        pass
    with caplog.at_level(logging.WARNING):
        carry_out(store, stop_after(5))
    assert "began before what a run depends on was recorded" in caplog.text
    assert store.state.conditions["threads"] == torch.get_num_threads()
    with sqlite3.connect(store.folder / "run.db") as database:
        database.execute("DELETE FROM state WHERE key = 'conditions'")
    database.close()
    flip_a_bit(tmp_path / "right" / "model.safetensors")
    with pytest.raises(RunError, match=r"The weights of right \(model\) are others"):
        carry_out(store)


@pytest.mark.parametrize("what", ["cut", "written to", "replaced", "gone"])
def test_a_source_that_changes_under_a_run_ends_it_with_nothing_lost(made, tmp_path, what):
    whole, store = made("whole"), made()
    carry_out(whole)
    file, kept = tmp_path / "right" / "model.safetensors", tmp_path / "kept"
    shutil.copy2(file, kept)

    def spoil(store):
        if store.count() == 3 and file.exists():
            if what == "cut":
                os.truncate(file, file.stat().st_size - 8)
            elif what == "written to":
                flip_a_bit(file)
                os.utime(file)
            elif what == "replaced":
                os.replace(shutil.copy2(kept, tmp_path / "other"), file)
            else:
                file.unlink()

    with pytest.raises(SourceError, match=r"model\.safetensors (now ends|has changed|is gone)"):
        carry_out(store, spoil)
    assert (store.count(), store.state.status) == (3, "failed")
    assert "model.safetensors" in store.state.error
    shutil.copy2(kept, file)
    carry_out(store)
    assert ended(store) == ended(whole)


def test_so_many_failures_in_a_row_end_the_run(made):
    store = made(scorer="score.py:pure", evaluations=FAILURES_IN_A_ROW + 5)
    with pytest.raises(RunError, match=rf"{FAILURES_IN_A_ROW} offspring in a row failed.*no child is any good"):
        carry_out(store)
    assert store.count() == FAILURES_IN_A_ROW
    assert (store.state.status, len(store.individuals())) == ("failed", FAILURES_IN_A_ROW + 2)


def test_what_was_agreed_is_agreed_by_its_name(made):
    store = made(evaluations=0)
    found = [Difference(kind="version", name="torch", was="1", now="2")]
    Agreement(store).settle([])
    with pytest.raises(RunError, match="torch was version 1, now it is 2"):
        Agreement(store).settle(found)
    assert store.state.differences == [json.loads(found[0].model_dump_json())]
    Agreement(store, "tried both").settle(found)
    assert store.state.differences == []
    assert store.state.accepted[0]["differences"] == [found[0].model_dump()]
