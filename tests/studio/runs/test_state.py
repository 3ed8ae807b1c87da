"""The state of a run: typed, the same rows on the disk as ever, and what is no part of it refused."""

import json
import sqlite3
from contextlib import closing

import pydantic
import pytest

from studio.errors import RunError
from studio.runs.config import embedded
from studio.runs.database import make_database
from studio.runs.state import EncodedOnce, RunState, encoded_search, report_row_key
from studio.runs.store import open_run


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "run"
    embedded().save(folder / "run.yaml")
    make_database(folder)
    with closing(open_run(folder)) as made:
        yield made


def rows(store):
    """What the table holds, as any program reads it."""
    with closing(sqlite3.connect(store.folder / "run.db")) as database:
        return {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM state")}


def test_a_new_run_has_the_defaults_and_writes_none_of_them(store):
    assert store.state == RunState()
    assert rows(store) == {"schema": 1, "status": "new"}


def test_fields_are_rows_under_their_own_names(store):
    store.update(status="running", before=2, results={"ja": {"ja": {"mean": 0.5}}}, report_rows=[1, 6])
    store.update(status="reporting")
    assert rows(store) == {
        "schema": 1,
        "status": "reporting",
        "before": 2,
        "results": {"ja": {"ja": {"mean": 0.5}}},
        "report_rows": [1, 6],
    }
    state = store.state
    assert (state.status, state.before, state.report_rows, state.child) == ("reporting", 2, (1, 6), None)


@pytest.mark.parametrize("name", ["statsu", "schema", "held_out:ja"])
def test_what_is_no_field_is_a_mistake_in_the_program(store, name):
    with pytest.raises(TypeError, match=f"RunState has no field {name}; it has accepted, as_shipped, "):
        store.update(**{name: 1})
    with pytest.raises(AttributeError):
        getattr(store.state, name.replace("schema", "schemas"))
    assert rows(store) == {"schema": 1, "status": "new"}


def test_a_value_of_another_type_is_not_written(store):
    with pytest.raises(pydantic.ValidationError, match="status"):
        store.update(status="sleeping", before=1)
    assert rows(store) == {"schema": 1, "status": "new"}


def test_a_state_is_one_moment_and_is_not_written_to(store):
    before = store.state
    store.update(stop=True)
    assert (before.stop, store.state.stop) == (False, True)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        before.stop = True


def test_rows_of_a_report_are_kept_beside_the_state_and_outlive_it(store):
    key = report_row_key("ja", "1234", "a" * 64)
    assert key == "held_out:ja:1234:" + "a" * 16
    assert store.report_row(key) is None
    store.keep_report_row(key, {"ja": [0.25, 0.5]})
    store.update(results={}, child="0001", rotation=2)
    store.clear_report()
    assert store.report_row(key) == {"ja": [0.25, 0.5]}
    assert (store.state.results, store.state.child, store.state.rotation) == (None, None, 2)
    assert rows(store) == {"schema": 1, "status": "new", "rotation": 2, key: {"ja": [0.25, 0.5]}}
    for touch in (lambda: store.report_row("results"), lambda: store.keep_report_row("results", {})):
        with pytest.raises(ValueError, match="expected a key of report_row_key, found 'results'"):
            touch()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE state SET value = '99' WHERE key = 'schema'", "in format 99; this program reads format 1: update"),
        ("DELETE FROM state WHERE key = 'schema'", "holds nothing of a run"),
    ],
)
def test_another_format_is_refused(store, statement, expected):
    with closing(sqlite3.connect(store.folder / "run.db")) as database, database:
        database.execute(statement)
    with pytest.raises(RunError, match=expected):
        open_run(store.folder)


@pytest.mark.parametrize("value", ["'\"asleep\"'", "'{'"])
def test_a_damaged_state_is_one_line(store, value):
    with closing(sqlite3.connect(store.folder / "run.db")) as database, database:
        database.execute(f"UPDATE state SET value = {value} WHERE key = 'status'")
    with pytest.raises(RunError, match=r"run\.db holds a state that this program does not know"):
        open_run(store.folder).state  # noqa: B018


def test_a_search_is_encoded_as_json_has_it_and_each_in_flight_once(monkeypatch):
    flying = [EncodedOnce(mother="a", father="b", recipe={"name": f"子{n}", "weights": [0.1, n / 3]}) for n in range(3)]
    state = {"archive": {"ids": ["a", "b"]}, "rng": {"state": 2**90}, "attract": True}
    for one in (state, state | {"in_flight": flying}, state | {"in_flight": [dict(one) for one in flying]}):
        assert encoded_search(one) == json.dumps(one)
    plain = json.dumps(state | {"in_flight": flying[1:]})
    encoded = []
    monkeypatch.setattr(json, "dumps", lambda value: encoded.append(value) or json.JSONEncoder().encode(value))
    assert encoded_search(state | {"in_flight": flying[1:]}) == plain
    assert not any(isinstance(value, EncodedOnce) for value in encoded)
