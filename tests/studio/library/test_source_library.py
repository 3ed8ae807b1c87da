"""The sources a studio knows, what is remembered of them, and what they are good at."""

import os

import pytest
import yaml

import assets
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import open_source
from studio.errors import RunError
from studio.library import source_library
from studio.library.fetch import fetch_source
from studio.library.source_strengths import best_categories, source_strengths
from studio.runs.config import embedded


def test_a_new_studio_knows_the_embedded_family(tmp_path):
    assert [one.name for one in source_library.known_sources(tmp_path / "runs")] == list(assets.NAMES)


def test_what_is_added_is_remembered_once_and_can_be_forgotten(tmp_path, copied):
    runs, mine = tmp_path / "runs", str(copied("ja", "mine"))
    assert source_library.add_source(runs, mine) == source_library.add_source(runs, mine) == mine
    source_library.add_source(runs, "owner/name")
    assert source_library.added_sources(runs) == [mine, "owner/name"]
    assert [(one.name, one.added) for one in source_library.known_sources(runs)][4:] == [("mine", True), ("name", True)]
    assert (
        open_source_uri(mine).name
        == source_library.open_known_source(runs, source_library.KnownSource(mine).key).name
        == "mine"
    )
    source_library.forget_source(runs, mine)
    assert source_library.added_sources(runs) == ["owner/name"]
    with pytest.raises(RunError, match="knows no source"):
        source_library.open_known_source(runs, source_library.KnownSource(mine).key)


def test_the_sources_of_runs_are_known_with_the_newest_run_first(tmp_path, copied):
    mine = str(copied("ja", "mine"))
    for age, name in enumerate(("old", "new")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        embedded(sources=(str(assets.FAMILY / "base"), mine), host={"default": "mine"}).save(folder / "run.yaml")
        os.utime(folder / "run.yaml", (1000 + age, 1000 + age))
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.yaml").write_text("{")
    found = {one.name: one for one in source_library.known_sources(tmp_path / "runs")}
    assert found["mine"].runs == found["base"].runs == ("new", "old")
    assert found["real"].runs == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("format: other\nsources: []", "no list of sources"),
        ("format: m2n2-sources\nversion: 2\nsources: []", "update m2n2-studio"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_and_left_as_it_is(tmp_path, content, message):
    (tmp_path / source_library.SOURCES_FILE).write_text(content)
    for use in (source_library.added_sources, lambda runs: source_library.add_source(runs, "owner/name")):
        with pytest.raises(RunError, match=message):
            use(tmp_path)
    assert (tmp_path / source_library.SOURCES_FILE).read_text() == content


def test_the_list_is_a_file_that_people_can_read(tmp_path):
    source_library.add_source(tmp_path, "owner/name")
    assert yaml.safe_load((tmp_path / source_library.SOURCES_FILE).read_text()) == {
        "format": "m2n2-sources",
        "version": 1,
        "sources": ["owner/name"],
    }


def test_hashing_tells_how_far_it_is_can_be_stopped_and_is_remembered(copied):
    source, told = open_source(copied("ja", "to-hash")), []
    assert not any(part.is_hashed for part in source.components.values())

    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source_library.hash_source(source, stop)
    assert not source.components["unet"].is_hashed
    hashes = source_library.hash_source(source, lambda done, of: told.append((done, of)))
    assert told == sorted(told)
    assert told[-1][0] <= told[-1][1] == source.size
    assert told[-1][0] > 0.99 * source.size  # all but what is never merged
    assert all(part.is_hashed for part in source.components.values())
    again = []
    assert source_library.hash_source(source, lambda *now: again.append(now)) == hashes
    assert again == []
    assert hashes["unet"] == open_source(assets.FAMILY / "ja").components["unet"].sha256


def test_a_source_is_fetched_in_a_process_of_its_own(copied, tmp_path):
    fetch_source(str(copied("ja", "mine")))
    with pytest.raises(Exception, match="There is nothing at"):
        fetch_source(str(tmp_path / "absent"))

    def stop(seconds, come):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_source(str(assets.FAMILY / "ja"), stop)


def test_the_family_brings_a_table_of_its_own(tmp_path):
    found = source_strengths(tmp_path, source_library.known_sources(tmp_path))
    by_name = {uri.rsplit("/", 1)[-1]: one for uri, one in found.items()}
    assert set(by_name) == set(assets.NAMES)
    assert by_name["ja"].measured_in == "family"
    assert (by_name["ja"].scorer, by_name["ja"].prompts) == ("jury", 96)
    assert by_name["ja"].scores["ja"]["animals"] == pytest.approx(0.403, abs=5e-4)
    best = {name: best_categories(found, str(assets.FAMILY / name)) for name in assets.NAMES}
    owned = [category for categories in best.values() for category in categories]
    assert sorted(owned) == sorted(by_name["ja"].scores["ja"])  # each category has one owner
    assert "animals" in best["ja"]


def test_pictures_beside_a_checkpoint_are_not_those_of_it_with_an_adapter(tmp_path):
    plain = str(assets.FAMILY / "ja")
    assert [file.parent.parent.name for file in source_library.preview_files(plain)] == ["ja"] * 6
    assert source_library.preview_files(f"{plain} + 0.8 * {tmp_path / 'ink.safetensors'}") == []
    assert source_library.preview_files("owner/name") == []
