"""A source on another machine: found by its hashes, else copied once; what has other bytes is not taken."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.checkpoints.sources import open_source
from pipelines.errors import SourceError
from pipelines.exporting.places import note_sources
from pipelines.storage.files import cache_dir
from pipelines.weaving.plan import Plan
from studio.breeding.initial_population import source_recipes
from studio.cluster.node_source import open_on_node
from studio.cluster.node_worker import NodeJob, open_node_worker
from studio.cluster.offer import SourceServer, offered_files
from studio.cluster.workers import wanted_sources
from studio.conditions.record import recorded_source
from studio.environment import package_versions
from studio.errors import RunError
from studio.runs.inputs import open_run_sources
from tests.loras import factors, kohya_lora


class LocalOffer:
    """Hands out files in pieces of 50 kB, and counts the bytes."""

    def __init__(self, wanted):
        self.server = SourceServer([file.path for file in wanted.files], 50_000)
        self.handed_out = 0

    def pieces(self, file):
        for offset in range(0, file.size, 50_000):
            piece = self.server.read(file.path, offset)
            self.handed_out += len(piece)
            yield piece


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """The cache of another machine."""
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "node"))


def wanted_of(config, number=0, uri=None):
    """A source of a run as a machine is told of it, under another URI if one is given."""
    wanted = wanted_sources(config, open_run_sources(config))[number]
    return replace(wanted, named=wanted.named.model_copy(update={"uri": uri})) if uri else wanted


def silent(doing):
    """Take no notice."""


def test_the_same_weights_under_the_same_path_are_taken_as_they_are(pair_config, elsewhere):
    wanted = wanted_of(pair_config)
    offer = LocalOffer(wanted)
    source = open_on_node(wanted, offer, silent)
    assert (source.name, source.uri, offer.handed_out) == (wanted.named.name, wanted.named.uri, 0)


def test_what_is_not_there_is_copied_once_however_many_ask(pair_config, elsewhere):
    wanted, told = wanted_of(pair_config, uri="/nowhere/at/all"), []
    offer = LocalOffer(wanted)
    with ThreadPoolExecutor(3) as threads:
        sources = list(threads.map(lambda _: open_on_node(wanted, offer, told.append), range(3)))
    assert offer.handed_out == sum(file.size for file in wanted.files) > 100_000
    assert any("copies" in doing for doing in told)
    for source in sources:
        assert recorded_source(source).weights == wanted.record.weights
        assert recorded_source(source).documents == wanted.record.documents
        assert source.name == wanted.named.name
        assert source.path.is_relative_to(cache_dir() / "staged" / wanted.digest)


def test_weights_are_known_again_where_they_lay_before(pair_config, copied, elsewhere):
    wanted = wanted_of(pair_config, uri="/nowhere/at/all")
    name, sources = wanted.named.name, open_run_sources(pair_config)
    moved = open_source(copied(name, as_name="moved"), name=name)
    note_sources(Plan(source_recipes(pair_config, sources)[name], {**sources, name: moved}))
    offer = LocalOffer(wanted)
    assert open_on_node(wanted, offer, silent).path == moved.path
    assert offer.handed_out == 0


def test_other_bytes_under_the_same_path_are_passed_over_and_said(pair_config, copied, elsewhere, caplog):
    first, second = (Path(uri).name for uri in pair_config.sources)
    wanted = wanted_of(pair_config, uri=str(copied(second, as_name=first)))
    source = open_on_node(wanted, LocalOffer(wanted), silent)
    assert source.path.is_relative_to(cache_dir())
    different = r" has another \w+: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}\."
    assert re.fullmatch(re.escape(f"{first} at {wanted.named.uri}") + different, caplog.messages[0])


def test_a_copy_that_is_not_what_was_expected_is_refused_and_removed(pair_config, elsewhere):
    wanted = wanted_of(pair_config, uri="/nowhere/at/all")
    weights = {**wanted.record.weights, "vae": "0" * 64}
    wanted = replace(wanted, record=wanted.record.model_copy(update={"weights": weights}))
    with pytest.raises(SourceError, match=r"has another vae: expected sha256 0{64}, found [0-9a-f]{64}\. The copy"):
        open_on_node(wanted, LocalOffer(wanted), silent)
    assert not (cache_dir() / "staged" / wanted.digest).exists()


def test_a_source_that_cannot_be_had_says_so(pair_config, elsewhere):
    wanted = wanted_of(pair_config, uri="/nowhere/at/all")
    offer = LocalOffer(replace(wanted, files=()))
    with pytest.raises(
        SourceError, match="cannot be copied to this machine: .*put it on a disk that all machines share"
    ):
        open_on_node(wanted, offer, silent)
    assert not list((cache_dir() / "staged").glob("*/*"))


def test_a_lora_on_a_base_is_copied_with_it(pair_config, copied, tmp_path, elsewhere):
    lora = kohya_lora({"unet": {"conv_out": factors()["unet"]["conv_out"]}}, tmp_path / "ink.safetensors")
    first, second = pair_config.sources
    base = copied(Path(first).name)
    config = pair_config.changed(
        {"sources": (f"{base} + 0.5 * {lora}", second), "host": {"default": Path(second).name}}
    )
    wanted, folder = wanted_of(config), tmp_path / "moved away"
    offered = replace(wanted, files=tuple(replace(file, path=elsewhere_path(file, folder)) for file in wanted.files))
    folder.mkdir()
    base.rename(folder / base.name)
    lora.rename(folder / lora.name)
    source = open_on_node(offered, LocalOffer(offered), silent)
    copy = cache_dir() / "staged" / wanted.digest
    assert source.name == "ink"
    assert source.uri == f"{copy / '0' / base.name} + 0.5 * {copy / '1' / lora.name}"
    assert recorded_source(source).weights == wanted.record.weights


def elsewhere_path(file, folder):
    """Where an offered file lies once it was moved with the folder or file that it belongs to."""
    return str(folder / file.inside.partition("/")[2])


@pytest.mark.parametrize("beside", ["config.json", "one.about/config/model_index.json"])
def test_documents_beside_a_single_file_come_with_it(beside, tmp_path, monkeypatch):
    place = tmp_path / "one.safetensors"
    (tmp_path / beside).parent.mkdir(parents=True, exist_ok=True)
    for file in (place, tmp_path / beside, tmp_path / "holiday.json"):
        file.write_text("{}")
    source = SimpleNamespace(components={}, uri=str(place))
    assert [file.inside for file in offered_files(source)] == ["0/one.safetensors", f"0/{beside}"]


def test_a_machine_that_would_give_other_bits_is_refused(pair_config, tmp_path):
    """Another version of what computes, or another file under the same path."""
    versions = package_versions()
    job = NodeJob(pair_config, {}, 1, (), {}, {**versions, "torch": "1.0"})
    with pytest.raises(RunError, match=rf"has torch {versions['torch']}\. Expected 1\.0, as the run's own process"):
        open_node_worker(job, None, silent)
    file = tmp_path / "adapter"
    file.write_bytes(b"other")
    for path, found in ((file, "[0-9a-f]{64}"), (tmp_path / "none", "-")):
        job = NodeJob(pair_config, {}, 1, (), {str(path): "0" * 64}, versions)
        with pytest.raises(
            RunError, match=rf"{path} on .*: expected a file with sha256 0{{64}}, found {found}\. Copy it"
        ):
            open_node_worker(job, None, silent)
