"""A run whose VAE is lent by a folder of its own: drawn with it, resumed, refused once it changed, exported."""

import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.exporting.provenance import embedded_recipe
from studio.errors import RunError
from studio.execution import control
from studio.execution.creation import create_run
from studio.execution.preflight import preflight
from studio.exporting.export_plan import plan_export
from studio.licences.ledger import ledger_of_sources
from studio.reports.content import read_report_content
from studio.runs.config_file import load_config
from studio.runs.inputs import open_run_sources
from studio.runs.store import open_run
from tests.conftest import stop_with, without_report
from tests.studio.conftest import archive_of

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def fix(tmp_path_factory):
    """The VAE of a source, with every weight a little smaller, and a card of its own."""
    place = shutil.copytree(assets.sources()[0] / "vae", tmp_path_factory.mktemp("lenders") / "fix")
    save_file({key: tensor * 0.97 for key, tensor in load_file(place / WEIGHTS).items()}, place / WEIGHTS)
    (place / "README.md").write_text("---\nlicence: mit\nlicense: mit\nauthor: somebody\n---\n")
    return place


@pytest.fixture(scope="module")
def config(pair_config, fix, tmp_path_factory):
    """A run file that names it beside itself."""
    folder = fix.parent
    asked = pair_config.model_copy(update={"host": {"default": "ja", "vae": "fix"}, "evaluations": 2, "archive": 3})
    asked.save(folder / "asked.yaml")
    return load_config(folder / "asked.yaml")


@pytest.fixture(scope="module")
def bred_with_fix(config, tmp_path_factory):
    store = create_run(tmp_path_factory.mktemp("runs") / "lent", config)
    control.carry_out(store)
    return store


def test_the_run_keeps_the_whole_place_and_its_individuals_the_name(bred_with_fix, config, fix):
    again = open_run(bred_with_fix.folder)
    assert again.config.host == config.host == {"default": "ja", "vae": str(fix)}
    assert [one.id for one in again.individuals()] == ["base", "ja", "0001", "0002"]
    for one in again.individuals():
        assert one.recipe.host == {"default": "ja", "vae": "fix"}
        assert one.recipe.sources[-1].uri == str(fix)
    again.close()


def test_pictures_are_decoded_by_it(bred_with_fix, pair_config, tmp_path):
    plain = create_run(tmp_path / "plain", pair_config.model_copy(update={"evaluations": 0}))
    control.carry_out(plain, without_report)
    lent, own = bred_with_fix.individual("base"), plain.individual("base")
    assert not np.array_equal(lent.scores["ja"], own.scores["ja"])
    plain.close()


def test_stopped_and_resumed_it_ends_as_the_uninterrupted_one(bred_with_fix, config, tmp_path):
    store = create_run(tmp_path / "twin", config)

    control.carry_out(store, stop_with(3))
    assert len(store.individuals()) < 4
    store.close()
    resumed = open_run(tmp_path / "twin")
    control.carry_out(resumed)
    assert archive_of(resumed) == archive_of(bred_with_fix)
    resumed.close()


def test_a_lender_that_changed_is_told_when_the_run_goes_on(config, fix, tmp_path):
    moved = shutil.copytree(fix, tmp_path / "fix")
    host = {"default": "ja", "vae": str(moved)}
    store = create_run(tmp_path / "run", config.model_copy(update={"host": host, "evaluations": 0}))
    control.carry_out(store, without_report)
    shutil.copyfile(assets.sources()[0] / "vae" / WEIGHTS, moved / WEIGHTS)
    control.extend(store, 1)
    with pytest.raises(RunError, match=r"weights .*fix \(vae\)"):
        control.carry_out(store)
    store.close()


@pytest.mark.parametrize("name", ["folder", "file.safetensors"])
def test_the_export_has_its_weights_and_says_so(bred_with_fix, fix, tmp_path, name):
    plan_export(bred_with_fix, "0001", tmp_path / name, title="lent").write()
    written = open_source(tmp_path / name)
    lender, host = open_source(fix), open_source(assets.sources()[1])
    assert written.components["vae"].sha256 == lender.components["vae"].sha256
    assert written.components["text_encoder"].sha256 == host.components["text_encoder"].sha256
    assert embedded_recipe(tmp_path / name).sources[-1].uri == "fix"
    documents = tmp_path / name if name == "folder" else next(tmp_path.glob("file*/"))
    card = next(documents.glob("*.md")).read_text("utf-8")
    assert "fix" in card
    assert str(fix) not in card


def test_page_report_and_preflight_know_it(bred_with_fix, config, fix, tmp_path):
    sources = open_run_sources(config)
    assert list(sources) == ["base", "ja", "fix"]
    assert preflight(config, sources, folder=tmp_path, rate=0.1).pictures < 10_000
    assert {entry.name for entry in ledger_of_sources(sources.values()).entries} >= {"fix"}
    content = read_report_content(bred_with_fix)
    assert content.config.host == {"default": "ja", "vae": "fix"}
    assert list(content.results) == ["base", "ja", "average", "child"]
    assert any(entry.name == "fix" and entry.parts == ("vae",) for entry in content.licences)
