"""What a source predicts: told by its file in any of its makers' words, or by whoever names it, and carried along."""

import json

import pytest

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.errors import SourceError
from pipelines.exporting.export import export_file, export_folder
from pipelines.exporting.provenance import portable_uri
from pipelines.recipes.beside import with_places_beside
from pipelines.recipes.mergeable import check_mergeable
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from studio.library.model_reference import open_recipe_sources
from tests.full_keys import small_sdxl, small_single_file

V_ZERO = "SDXL (v-prediction, zero terminal SNR)"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Single files of one small model with all of SDXL's keys: unmarked, and marked by a trainer."""
    place = tmp_path_factory.mktemp("files")
    folder = small_sdxl(place / "one", 1)
    small_single_file(folder, place / "one" / "unmarked.safetensors")
    small_single_file(folder, place / "one" / "eps.safetensors", prediction_type="epsilon")
    trained = {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}
    small_single_file(folder, place / "one" / "trained.safetensors", **trained)
    return place / "one"


def merged(*sources):
    """The even blend of two opened sources, as a plan whose host is the first."""
    rows = {name: [0.5, 0.5] for name in ("attention", "backbone")}
    recipe = blend(list(sources), rows, host={"default": sources[0].name}, name="mix")
    return recipe, Plan(recipe, {source.name: source for source in sources})


def kind_of(source):
    """How a source is told, without the name of its small shapes."""
    return str(source.architecture).replace(source.architecture.name, "SDXL", 1)


def test_a_trainers_words_are_understood(files):
    assert kind_of(open_source_uri(files / "trained.safetensors")) == V_ZERO
    assert kind_of(open_source_uri(files / "unmarked.safetensors")) == "SDXL"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unmarked.safetensors as v-prediction", "SDXL (v-prediction)"),
        ("unmarked.safetensors as v-prediction+ztsnr", V_ZERO),
        ("trained.safetensors as v-prediction", V_ZERO),
        ("trained.safetensors as epsilon", "SDXL"),
        ("mine = unmarked.safetensors as v-prediction", "SDXL (v-prediction)"),
    ],
)
def test_whoever_names_a_source_is_believed(files, said, kind):
    source = open_source_uri(said, relative_to=files)
    assert kind_of(source) == kind
    assert kind_of(open_source_uri(source.uri)) == kind
    config = source.config("scheduler")
    assert config["prediction_type"] == source.architecture.prediction_type
    assert config.get("rescale_betas_zero_snr", False) == source.architecture.zero_terminal_snr


def test_it_is_in_doubt_where_nobody_says_it(files, family):
    says = {
        name: open_source_uri(name, relative_to=files).says_prediction
        for name in (
            "unmarked.safetensors",
            "eps.safetensors",
            "trained.safetensors",
            "unmarked.safetensors as epsilon",
        )
    }
    assert says == {
        "unmarked.safetensors": False,
        "eps.safetensors": True,
        "trained.safetensors": True,
        "unmarked.safetensors as epsilon": True,
    }
    assert family["ja"].says_prediction  # its scheduler names velocity


def test_the_two_kinds_are_not_mixed_and_the_way_out_is_said(files):
    unmarked, trained = (open_source_uri(files / f"{name}.safetensors") for name in ("unmarked", "trained"))
    with pytest.raises(SourceError, match=r"'FILE as v-prediction' or 'FILE as epsilon'.*--probe FILE"):
        check_mergeable([unmarked, trained])
    check_mergeable([open_source_uri("unmarked.safetensors as v-prediction", relative_to=files), trained])


def test_marks_go_into_what_is_merged_and_what_was_said_into_its_recipe(files, tmp_path):
    said = open_source_uri("unmarked.safetensors as v-prediction+ztsnr", relative_to=files)
    trained = open_source_uri(files / "trained.safetensors")
    recipe, plan = merged(said, trained)
    file = TensorFile(export_file(plan, tmp_path / "mix.safetensors"))
    assert {"v_pred", "ztsnr"} <= set(file.tensors)
    assert kind_of(open_source_uri(tmp_path / "mix.safetensors")) == V_ZERO
    folder = export_folder(plan, tmp_path / "mix")
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    assert (scheduler["prediction_type"], scheduler["rescale_betas_zero_snr"]) == ("v_prediction", True)
    assert kind_of(open_source_uri(folder)) == V_ZERO
    assert portable_uri(said) == "unmarked.safetensors as v-prediction+ztsnr"
    beside = with_places_beside(recipe, files / "mix.json")
    assert beside.sources[0].uri == "unmarked.safetensors as v-prediction+ztsnr"
    recipe.save(tmp_path / "mix.json")
    again = open_recipe_sources(load_recipe(tmp_path / "mix.json"))
    assert kind_of(again["unmarked"]) == V_ZERO
