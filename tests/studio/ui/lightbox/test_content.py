"""What the lightbox tells, and marks made in it, without a browser."""

from __future__ import annotations

import shutil

import pytest
from fastapi.testclient import TestClient

from benchmarks.app.pages import KEY, door_of
from studio.errors import RunError
from studio.judging.annotations import ANNOTATIONS_FILE, MAX_STARS, REJECTED, annotate, read_annotations
from studio.png_metadata import infotext
from studio.ui.common.studio import Studio
from studio.ui.lightbox.content import place_content, run_content
from studio.ui.server.app import build_app


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory):
    runs = tmp_path_factory.mktemp("lightbox") / "runs"
    shutil.copytree(finished.runs, runs, ignore=shutil.ignore_patterns(ANNOTATIONS_FILE))
    return Studio(runs)


@pytest.fixture(scope="module")
def client(copied):
    with TestClient(build_app(copied.runs, door_of(copied.runs)), base_url="http://127.0.0.1", headers=KEY) as found:
        yield found


def test_a_run_tells_its_models_best_first_and_its_prompts(copied, client):
    with copied.run("first") as store:
        told = run_content(store, "ja")
        scored = sorted((one for one in store.individuals() if "ja" in one.scores), key=lambda one: -one.mean("ja"))
        assert [one["id"] for one in told["models"]] == [one.id for one in scored]
        assert [one["id"] for one in told["prompts"]] == store.prompts.niches.ids
    assert client.get("/lightbox/ja/first").json() == told
    assert client.get("/lightbox/ja/elsewhere").status_code == 404
    assert client.get("/lightbox/xx/first").status_code == 422


def test_a_place_tells_both_languages_their_scores_and_how_they_were_made(copied, client):
    with copied.run("first") as store:
        prompt = store.prompts.niches.prompts[1]
        one = store.individual("0001")
        told = place_content(store, "en", "0001", prompt.id, 0, "")
        ja, en = told["shown"]
        assert (ja["caption"], en["caption"]) == (prompt.ja, prompt.en)
        assert ja["score"] == f"{one.scores['ja'][1, 0]:.3f}"
        best = max((s for s in store.sources()), key=lambda s: s.mean("ja"))
        gain = one.scores["ja"][1, 0] - best.scores["ja"][1, 0]
        assert ja["change"].startswith(f"{gain:+.3f} ")
        assert ja["data"] == f"{prompt.ja}\nSteps: 1, CFG scale: 3.0, Seed: {told['seed']}, Model: 0001" or (
            ja["data"].startswith(f"{prompt.ja}\nSteps: 1, CFG scale: 3.0, Seed: {told['seed']}")
        )
        with pytest.raises(RunError, match="absent"):
            place_content(store, "en", "0001", "absent", 0, "")
    assert client.get(ja["address"]).headers["content-type"] == "image/png"
    assert client.get(f"/lightbox/en/first/0001/0/{prompt.id}").json() == told
    assert client.get("/lightbox/en/first/nobody/0/x").status_code == 404
    empty = client.get(f"/lightbox/en/first/0001/7/{prompt.id}").json()
    assert [one["address"] for one in empty["shown"]] == [None, None]
    assert {one["score"] for one in empty["shown"]} == {"–"}


def test_a_star_and_a_rejection_leave_what_was_said_before(copied, client):
    with copied.run("first") as store:
        one = store.individual("0002")
        annotate(store, one, rater="", stars=2, tags="soft", note="nice line")
        assert client.post("/marks/first/0002/reject/on").status_code == 200
        assert client.post("/marks/first/0002/star/on").status_code == 200
        said = read_annotations(store)[one.recipe.digest]
        assert (said.stars, said.tags, said.notes) == (MAX_STARS, ("soft", REJECTED), (("", "nice line"),))
        client.post("/marks/first/0002/reject/off")
        client.post("/marks/first/0002/star/off")
        said = read_annotations(store)[one.recipe.digest]
        assert (said.stars, said.tags) == (0, ("soft",))
    assert client.post("/marks/first/nobody/star/on").status_code == 404
    assert client.post("/marks/first/0002/hate/on").status_code == 422


def test_infotext_has_the_order_that_others_read():
    data = {"individual": "a/0001", "prompt": "猫", "seed": 7, "steps": 8, "guidance": 3.0, "size": 64, "batch": 16}
    assert infotext(data) == "猫\nSteps: 8, CFG scale: 3.0, Seed: 7, Size: 64x64, Model: a/0001"
    assert infotext({"prompt": "a cat"}) == "a cat\n"
