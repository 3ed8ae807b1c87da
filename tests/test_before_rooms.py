"""Data that was written before modules moved into rooms still opens, resumes, verifies and says the same.

`data/before_rooms/make_before.py` tells what there is and how it was made. The last bits of scores, and of the weights
of new recipes, depend on the processor, on the number of threads and on the programs that compute: where those are the
ones of then, everything is compared bit for bit. Elsewhere floats may differ by NEAR; ids, parents, who entered, words,
and what is woven from a recipe that was written then may not.
"""

import dataclasses
import hashlib
import json
import random
import zipfile

import pytest
import torch
from PIL import Image

import assets
from pipelines.generation.devices import best_device
from studio.execution.control import carry_out
from studio.exporting.export_plan import plan_export
from studio.exporting.recipe_package import PACKAGE_ENDING, RecipePackage
from studio.exporting.registry import in_use, in_use_history, list_exports, open_export
from studio.exporting.verification import verify_export, verify_hashes
from studio.judging.annotations import Annotations, read_annotations
from studio.judging.pairing import judged_individuals, next_pair
from studio.judging.ranking import votes_report
from studio.judging.votes import missing_votes, niche_votes, read_votes, steering_runs
from studio.library.source_library import added_sources
from studio.monitoring.drift import drift
from studio.monitoring.remeasure import damage, journal
from studio.monitoring.scheduler import carry_out_measurement as measure_again
from studio.monitoring.scheduler import schedule_of
from studio.networks.task import open_any
from studio.runs.store import open_run
from studio.ui.common.studio import Studio
from studio.ui.compare.choice import Choice
from studio.ui.compare.downloads import sheet_files
from studio.ui.compare.grid import draw, look
from studio.ui.compare.view import compared
from tests.conftest import without_report
from tests.data.before_rooms.before import (
    DATA,
    FORMER,
    archive,
    computed_on,
    filled,
    go_wrong,
    hashes,
    lay_out,
    read_scores,
    said,
    steady,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(best_device().type != "cpu", reason="the scores are a CPU's"),
]

NEAR = 1e-4  # with fewer instructions of the same processor, scores moved by 3e-5 and weights of recipes by 1e-15
# What other machines may have otherwise: compressed thumbnails and what holds or hashes them, the last bits of recipes,
# and what the monitor thinks of scores that moved.
ELSEWHERE = (".webp", "/file", "single file/README.md", "/exactly", "/verdict")


def told(name):
    return json.loads((DATA / name).read_text("utf-8"))


COMMANDS = told("commands.json")


@pytest.fixture(autouse=True)
def as_then(monkeypatch):
    """The family that was embedded then, one thread, and tables as wide as they were."""
    for name, place in {"FAMILY": "family", "JUDGE": "scorers/judge", "JURY": "scorers/jury"}.items():
        monkeypatch.setattr(assets, name, FORMER / place)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("COLUMNS", "200")
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The data, laid out where it may be written to; the folder that commands are given in."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def same():
    """Compares with what was told then."""
    exactly = computed_on() == told("computed_on.json")

    def compare(found, wanted, where=""):
        if isinstance(wanted, dict) and isinstance(found, dict):
            assert found.keys() == wanted.keys(), where
            for key, value in wanted.items():
                if exactly or not f"{where}/{key}".endswith(ELSEWHERE):
                    compare(found[key], value, f"{where}/{key}")
        elif isinstance(wanted, list) and isinstance(found, list | tuple):
            assert len(found) == len(wanted), where
            for place, (one, value) in enumerate(zip(found, wanted, strict=True)):
                compare(one, value, f"{where}/{place}")
        elif isinstance(wanted, float) and not exactly:
            assert found == pytest.approx(wanted, abs=NEAR), where
        else:
            assert found == wanted, where

    def compare_runs(found, wanted):
        pair = (found, wanted) if exactly else map(read_scores, (found, wanted))
        compare(*pair)

    compare.runs = compare_runs
    return compare


@pytest.fixture
def answers(m2n2, work, same):
    """Gives the commands of a group again, one after the other; every answer must be the one of then."""

    def give(group):
        for row in COMMANDS:
            if row["group"] == group:
                found = said(m2n2(*(filled(one, work) for one in row["args"])), work)
                same(found, {key: row[key] for key in found}, " ".join(row["args"]))

    return give


def text_of(picture):
    with Image.open(picture) as opened:
        return {key: json.loads(text) for key, text in opened.text.items()}


@pytest.mark.parametrize("group", ["sources", "prompts", "recipes", "runs", "exports", "refused"])
def test_commands_say_the_same(answers, group, work, same):
    if group == "refused":
        go_wrong(work)
    answers(group)
    wanted = told("outputs.json").get(group)
    assert (work / "out").exists() == (wanted is not None)
    if wanted:
        same(hashes(work / "out", work), wanted)


def test_a_stopped_run_goes_on_to_the_same_end(answers, work, same):
    answers("resumed")
    store = open_run(work / "run")
    same.runs(archive(store, work), told("run_finished.json"))
    picture, wanted = (
        store.image("0003", store.prompts.niches.ids[0], "ja", 0),
        told("png_text.json")["resumed"]["m2n2"],
    )
    assert text_of(picture) == {"m2n2": wanted | {"recipe": store.individual("0003").recipe.digest}}
    store.close()


def test_a_finished_run_is_reported_on_again_without_drawing(answers, work, same):
    store = open_run(work / "finished")
    same.runs(archive(store, work), told("run_finished.json"))
    answers("finished")
    same.runs(archive(store, work), told("run_finished.json"))
    assert not (store.folder / "report").exists()
    store.close()


def test_a_steered_run_goes_on_with_its_tastes_its_noise_and_the_recipes_it_began_with(work, same):
    store = open_run(work / "steered")
    carry_out(store, without_report)
    same.runs(archive(store, work), told("steered_finished.json"))
    store.close()


def test_a_run_over_any_network_goes_on_to_the_same_end(answers, work, same):
    answers("any")
    store = open_any(work / "any" / "run")
    same.runs(archive(store, work), told("any_finished.json"))
    store.close()
    same(hashes(work / "out", work), told("outputs.json")["any"])


def test_votes_and_marks_say_the_same(work, same):
    store, wanted = open_run(work / "run"), told("votes.json")
    given, marked = read_votes(store.folder), read_annotations(store)
    same(votes_report(given), wanted["report"])
    assert missing_votes(given) == wanted["missing"]
    assert {whose: len(some) for whose, some in niche_votes(given).items()} == wanted["niches"]
    assert steering_runs(work) == wanted["steering"]
    assert [one.id for one in judged_individuals(store)] == wanted["judged"]
    people = {one.id: marked[one.recipe.digest] for one in store.individuals() if one.recipe.digest in marked}
    assert {id: json.loads(json.dumps(dataclasses.asdict(one))) for id, one in people.items()} == wanted["marks"]
    assert people["0001"] == Annotations(3.5, ("bright", "round", "丸い"), (("Aya", "better than it looked"),))
    asked = next_pair(store, given, "Ren", "ja", random.Random(0))  # those whose pictures are there
    assert {asked.left, asked.right} == {"0001", "0002"}
    store.close()


def test_an_individual_is_exported_to_the_same_bytes(work, same):
    store, wanted = open_run(work / "run"), told("export.json")
    for name in ("momiji", "momiji.safetensors"):
        shipped = plan_export(store, "0001", work / "new" / name).write()
    for name, text in (("README.md", wanted["card"]), ("LICENSE.md", wanted["notice"])):
        assert (work / "new" / "momiji" / name).read_text("utf-8") == text
    same(hashes(work / "new" / "momiji", work), wanted["folder"])
    same(hashes(work / "new" / "momiji.about", work), wanted["single_file"], "single file")
    same(dict(shipped.hashes), wanted["shipped"])
    package = RecipePackage(plan_export(store, "0001", work / "again" / "momiji"), work / f"momiji{PACKAGE_ENDING}")
    package.write()
    for file, papers in ((package.target, wanted["package_papers"]), (work / "exports" / package.target.name, {})):
        with zipfile.ZipFile(file) as packed:
            inside = {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()}
        assert inside == wanted["package"] | papers
    store.close()


def test_an_export_is_verified_and_monitored_by_its_documents(work, same):
    """The weights are woven again, and are what the certificate of then knows; all else is as it was written."""
    documents, wanted, store = work / "exports" / "momiji", told("export.json"), open_run(work / "run")
    plan_export(store, "0001", work / "new" / "momiji").write()
    (work / "new" / "momiji" / "SHA256SUMS").unlink()  # exports of then have none
    store.close()
    for file in documents.iterdir():
        file.replace(work / "new" / "momiji" / file.name)
    documents.rmdir()
    (work / "new" / "momiji").rename(documents)
    export = open_export(documents)
    assert damage(export) == {}
    assert verify_export(export).as_json() == wanted["verify"]
    assert verify_hashes(export, work / "exports" / "hashes.json").as_json() == wanted["verify_hashes"]

    assert [one.name for one in list_exports(work / "exports")] == ["momiji"]
    assert in_use(work / "exports") == "momiji"
    assert [(one["export"], one["former"], one["who"]) for one in in_use_history(work / "exports")] == [
        ("momiji", "momiji.safetensors", ""),
        ("momiji.safetensors", None, "Aya"),
    ]
    assert schedule_of(export) == "weekly"
    assert len(journal(export).events()) == 1
    same(steady(drift(export.certificate, journal(export).events()).as_json()), wanted["monitor"])
    measure_again(export)
    same(steady(drift(export.certificate, journal(export).events()).as_json()), wanted["monitor"])


def test_pictures_say_how_they_were_made(work, same):
    desk, wanted = Studio(work), told("png_text.json")
    with desk.run("run") as store:
        known = store.prompts.niches.ids[:1]
        same(text_of(store.image("0001", known[0], "ja", 0)), wanted["kept"])
    choice = Choice(models=["0001", "ja"], known=known, ja="犬と猫", en="a dog and a cat", noises=1)
    grid = compared(desk, "en", "run", choice)
    draw(desk, grid)
    sheet = sheet_files(desk, "en", "run", look(desk, grid.rows, grid.asked)).png
    same(text_of(sheet), wanted["sheet"])
    desk.previewer.release()


def test_sources_that_somebody_added_are_known(work):
    wanted = ["{assets}/family/ja + 0.8 * {work}/inputs/ink.safetensors", "somebody/drawings@main"]
    assert added_sources(work / "inputs") == [filled(uri, work) for uri in wanted]
