"""A shipped merge: its card, its documents, and the code on its card, as a folder and as a single file."""

import base64
import io
import json

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from pipelines.checkpoints.sources import Source, open_source
from pipelines.errors import ExportError
from pipelines.exporting.provenance import embedded_recipe, file_sha256
from pipelines.generation.live_pipeline import PictureRequest
from pipelines.generation.settings import presets
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from studio.evaluation.preview import Previewer
from studio.exporting import export_plan
from studio.exporting.card_content import CardContent, ExampleDrawing
from studio.exporting.model_card import diffusers_snippet, model_card
from studio.library.model_reference import open_recipe_sources
from studio.licences.inheritance import common_licence, inherited_licences
from studio.runs.noise import noise_seed
from tests.conftest import python


@pytest.fixture(scope="module")
def store(bred):
    return bred


@pytest.fixture(scope="module")
def shipped(store, tmp_path_factory):
    """The same individual as a folder and as a single file."""
    place = tmp_path_factory.mktemp("shipped")
    return {
        name: export_plan.plan_export(store, "0001", place / name, title="桜").write()
        for name in ("sakura", "sakura.safetensors")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sakura", pytest.param("sakura.safetensors", marks=pytest.mark.soak)])
def test_the_code_on_the_card_draws_what_the_studio_shows(store, shipped, name, tmp_path):
    path = shipped[name].path
    readme = path / "README.md" if path.is_dir() else path.with_name("sakura.about") / "README.md"
    code = readme.read_text("utf-8").split("```python\n")[1].split("```")[0]
    picture = tmp_path / "picture.png"
    code = code.replace('"picture.png"', json.dumps(str(picture)))
    (tmp_path / "draw.py").write_text(f"import os; os.chdir({str(path.parent)!r})\n{code}", "utf-8")
    done = python(tmp_path / "draw.py")
    assert done.returncode == 0, done.stderr
    first = store.prompts.niches.prompts[0]
    recipe = store.individual("0001").recipe
    request = PictureRequest(first.ja, noise_seed(first.id, 0))
    shown = Previewer().draw(recipe, open_recipe_sources(recipe), [request], store.config.pictures)[0]
    assert (np.asarray(Image.open(picture)) == np.asarray(shown)).all()


def test_the_front_matter_is_what_the_hub_reads(store, shipped):
    loaded = ModelCard.load(shipped["sakura"].path / "README.md")
    data = loaded.data
    assert data.language == ["ja", "en"]
    assert data.license == common_licence(shipped["sakura"].inherited)
    assert (data.library_name, data.pipeline_tag) == ("diffusers", "text-to-image")
    assert data.to_dict()["base_model_relation"] == "merge"
    assert data.base_model is None  # they are folders here
    assert data.model_name == "桜"
    bred = [result for result in data.eval_results if result.dataset_split == "bred on"]
    assert [result.metric_value for result in bred] == [
        round(store.individual("0001").mean(kind), 4) for kind in ("ja", "en", "consistency")
    ]
    assert bred[0].metric_name == "Japanese captions and pictures, by judge"
    assert {result.dataset_type for result in bred} == {store.prompts.niches.name}
    yaml.safe_load(loaded.content.split("---")[1])


def test_documents_lie_in_the_folder_or_beside_the_file(shipped):
    folder, about = shipped["sakura"].path, shipped["sakura.safetensors"].path.with_name("sakura.about")
    for place in (folder, about):
        assert load_recipe(place / "recipe.json").name == "桜"
        assert "changed by weighted sums" in (place / "LICENSE.md").read_text("utf-8")
        assert (place / "licences" / "ja" / "LICENSE").is_file()
        samples = sorted(file.name for file in (place / "samples").iterdir())
        assert len(samples) == 6
        assert len({name.split("-ja-")[0].split("-en-")[0] for name in samples}) == 3
        text = (place / "README.md").read_text("utf-8")
        assert all(f"](samples/{name})" in text for name in samples)
        assert str(folder.parent) not in text
    assert (about / "config" / "model_index.json").is_file()
    assert {file.name for file in folder.parent.iterdir()} == {"sakura", "sakura.safetensors", "sakura.about"}


def test_hashes_are_told_and_true(shipped):
    folder, file = shipped["sakura"], shipped["sakura.safetensors"]
    assert folder.hashes == {"unet": open_source(folder.path).components["unet"].sha256}
    header = TensorFile(file.path).metadata
    assert file.hashes == {"tensors": header["modelspec.hash_sha256"][2:], "file": file_sha256(file.path)}
    readme = file.path.with_name("sakura.about").joinpath("README.md").read_text("utf-8")
    assert all(digest in readme for digest in file.hashes.values())
    assert file.size == file.path.stat().st_size


def test_the_header_of_the_file(store, shipped):
    file = shipped["sakura.safetensors"].path
    header = TensorFile(file).metadata
    individual = store.individual("0001")
    assert header["modelspec.title"] == "桜"
    assert header["modelspec.date"] == f"{individual.born:%Y-%m-%dT%H:%M:%S}Z"
    assert header["modelspec.description"].endswith("bred with M2N2 (individual 0001 of run bred).")
    assert embedded_recipe(file).digest == individual.recipe.digest
    picture = Image.open(io.BytesIO(base64.b64decode(header["modelspec.thumbnail"].partition(",")[2])))
    assert picture.size == (256, 256)


def test_an_individual_gives_the_same_bytes_twice(store, shipped, tmp_path):
    again = export_plan.plan_export(store, "0001", tmp_path / "sakura.safetensors", title="桜").write()
    assert again.path.read_bytes() == shipped["sakura.safetensors"].path.read_bytes()


def test_a_plain_recipe_has_a_card_too(family, one_hot, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    done = export_plan.plan_recipe_export(
        one_hot["flat"], family, tmp_path / "平ら.safetensors", precision="bf16"
    ).write()
    assert TensorFile(done.path).metadata["modelspec.date"] == "1970-01-02T00:00:00Z"
    assert TensorFile(done.path).metadata["modelspec.license"] == "apache-2.0 AND cc-by-4.0"
    text = (tmp_path / "平ら.about" / "README.md").read_text("utf-8")
    assert yaml.safe_load(text.split("---")[1])["language"] == ["en", "ja"]
    assert "`m2n2 merge recipe.json --dtype bf16 --out '平ら.safetensors'`" in text
    assert "## Scores" not in text
    assert "ComfyUI and A1111 know the shapes of SDXL only; this is SDXL layout, 160 wide" in text
    assert done.as_json()["licence"] == "apache-2.0 AND cc-by-4.0"


def test_sources_of_the_hub_are_base_models_and_flagged_ones_stand_on_top(copied):
    bare = copied("flat", "flat")
    (bare / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    (bare / "LICENSE").unlink()
    ja = open_source(copied("ja"))
    sources = [Source(ja.path, "ja", ja.contents, uri="owner/ja@main"), open_source(bare, name="fl|at\n# x")]
    weights = {"attention": [0.5, 0.5], "backbone": [0.5, 0.5]}
    recipe, by_name = blend(sources, weights, host={"default": "ja"}), {source.name: source for source in sources}
    text = model_card(Plan(recipe, by_name), CardContent("t", "s"), inherited_licences(recipe, by_name), "t", {})
    front = yaml.safe_load(text.split("---")[1])
    assert front["base_model"] == ["owner/ja"]
    assert (front["license"], front["license_link"]) == ("other", "LICENSE.md")
    assert front["license_name"] == "apache-2.0-and-cc-by-nc-4.0"
    assert "> **Read before you publish.** fl\\|at # x: not for commercial use." in text
    assert "| [ja](https://huggingface.co/owner/ja) (`" in text
    assert "none came with fl\\|at # x." in text
    assert "\n# x" not in text


def test_nothing_is_left_of_a_failed_shipment(store, tmp_path, monkeypatch):
    def fails(*_):
        raise ExportError("no card today")

    monkeypatch.setattr(export_plan, "model_card", fails)
    for name in ("out", "out.safetensors"):
        with pytest.raises(ExportError, match="no card today"):
            export_plan.plan_export(store, "0001", tmp_path / name).write()
    assert list(tmp_path.iterdir()) == []


def test_the_code_on_a_card_puts_a_few_step_lora_beside_the_weights():
    draft = presets(1024)["draft"]
    code = diffusers_snippet("model", ExampleDrawing("柴犬", 7, draft), full_size=True)
    compile(code, "card", "exec")
    assert 'load_lora_weights("ByteDance/SDXL-Lightning", weight_name="sdxl_lightning_4step_lora.safetensors")' in code
    assert "EulerDiscreteScheduler.from_config(pipeline.scheduler.config, timestep_spacing='trailing'" in code
    assert "num_inference_steps=4, guidance_scale=0.0" in code
    assert "lora" not in diffusers_snippet("model", ExampleDrawing("柴犬", 7, presets(1024)["final"]), full_size=True)
