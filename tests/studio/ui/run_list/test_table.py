"""The table of runs, and what somebody calls one: who may, what is refused, where it is shown."""

import json
import shutil

import pytest
from fastapi.testclient import TestClient

from benchmarks.app.pages import KEY
from studio.access.roles import ROLES
from studio.i18n import LANGUAGES, t
from studio.run_folders.labels import RunLabel, read_label, write_label
from studio.ui.common.studio import Studio
from studio.ui.run_list.entries import run_list
from studio.ui.run_list.table import COLUMNS, run_table

WANTED = {"title": "春", "note": "for the café", "tags": "client, v2"}


@pytest.fixture
def studio(finished, tmp_path):
    """A copy of the finished studio, whose run may be labelled."""
    shutil.copytree(finished.runs, tmp_path / "runs")
    return Studio(tmp_path / "runs")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_run_has_a_figure_in_every_column(studio, lang):
    shutil.copytree(studio.runs / "first", studio.runs / "second")
    table = run_table(studio, lang)
    assert sorted(row["name"] for row in table["runs"]) == ["first", "second"]
    assert [key for key, _ in table["columns"]] == list(COLUMNS)
    assert [text for _, text in table["columns"]] == [t(lang, f"run_column_{key}") for key in COLUMNS]
    for row in table["runs"]:
        assert list(row["cells"]) == list(COLUMNS[2:])
        with studio.run(row["name"]) as store:
            best = max(one.mean("ja") for one in store.individuals() if not one.is_source and "ja" in one.scores)
        assert (row["cells"]["ja"]["value"], row["cells"]["ja"]["text"]) == (pytest.approx(best), f"{best:.3f}")
        assert row["cells"]["began"]["value"].endswith("+00:00")


def test_a_title_is_shown_wherever_the_run_is_offered(studio):
    assert studio.run_choices() == [("first", "first")]
    write_label(studio.runs / "first", RunLabel("春", "for the café", ("client",)))
    assert studio.run_choices() == [("春 (first)", "first")]
    (entry,) = run_list(studio, "en")["runs"]
    (row,) = run_table(studio, "en")["runs"]
    for shown in (entry, row):
        assert (shown["name"], shown["title"], shown["note"], shown["tags"]) == (
            "first", "春", "for the café", ["client"],
        )  # fmt: skip
    assert studio.run_names() == ["first"]


def test_editors_label_runs_and_others_do_not(finished, finished_app, finished_door):
    client = TestClient(finished_app, "http://localhost")
    links = {role: finished_door.people.invite(f"label {role}", role) for role in ROLES}
    folder = finished.runs / "first"
    try:
        for role in ROLES:
            (folder / "label.json").unlink(missing_ok=True)
            bearer = {"Authorization": f"Bearer {links[role]}"}
            answer = client.post("/run-label/en/first", json=WANTED, headers=bearer)
            assert answer.status_code == (200 if role in ("editor", "owner") else 403), role
            labelled = RunLabel("春", "for the café", ("client", "v2"))
            assert read_label(folder) == (labelled if role in ("editor", "owner") else RunLabel())
        assert client.get("/run-list/ja", headers=KEY).json()["runs"][0]["title"] == "春"
        assert client.get("/run-table/ja", headers=KEY).json()["runs"][0]["title"] == "春"
    finally:
        (folder / "label.json").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/run-label/ja/elsewhere", json.dumps(WANTED)),
        ("/run-label/ja/..%2Ffirst", json.dumps(WANTED)),
        ("/run-label/ja/first", "["),
        ("/run-label/ja/first", "[]"),
        ("/run-label/ja/first", '{"title": 3}'),
        ("/run-label/ja/first", json.dumps({"note": "x" * 20_000})),
        ("/run-label/ja/first", json.dumps({"title": "x" * 81})),
    ],
)
def test_what_is_no_label_is_refused_in_words(finished, finished_app, path, content):
    client = TestClient(finished_app, "http://localhost", headers=KEY)
    answer = client.post(path, content=content)
    assert answer.status_code in (403, 404, 422)
    assert answer.json()["detail"]
    assert read_label(finished.runs / "first") == RunLabel()
