"""The header of a single file: ModelSpec, ancestry, recipe; the same for the same recipe, on every machine."""

import base64
import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from PIL import Image

from pipelines.architectures.detection import Architecture
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError
from pipelines.exporting.export import TENSOR_HASH_KEY, export_file
from pipelines.exporting.metadata import single_file_metadata, source_date, thumbnail_data_url
from pipelines.exporting.provenance import HEADER_LIMIT, RECIPE_KEY, embedded_recipe
from pipelines.recipes.chromosome import Chromosome, Segment
from pipelines.recipes.lineage import Lineage
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan


@pytest.fixture(scope="module")
def plan(family):
    weights = {"attention": [0.0, 0.75, 0.25, 0.0], "backbone": [0.0, 0.0, 1.0, 0.0]}
    recipe = blend(list(family.values()), weights, host={"default": "ja", "vae": "base"}, name="桜")
    lineage = Lineage(mother="m", father="f", splits={"attention": 12}, ratios={"attention": 0.75}, seed=7)
    return Plan(recipe.model_copy(update={"lineage": lineage}), family)


def test_modelspec_of_the_embedded_family(plan):
    made = datetime(2026, 11, 22, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=9)))
    found = single_file_metadata(
        plan, title="桜, 夜", description="二つの親", licence="mit", tags=["merge", "m2n2"], date=made
    )
    assert all(isinstance(value, str) for value in found.values())
    assert {key.removeprefix("modelspec."): value for key, value in found.items() if key.startswith("modelspec.")} == {
        "sai_model_spec": "1.0.1",
        "architecture": "sdxl-layout-160-wide-cross-attention",  # no program may take it for SDXL
        "implementation": "sgm",
        "title": "桜, 夜",
        "resolution": "64x64",
        "description": "二つの親",
        "date": "2026-11-22T03:00:00Z",
        "license": "mit",
        "tags": "merge,m2n2",
        "merged_from": "ja,flat,base",
        "prediction_type": "v",
        "hash_sha256": "",
    }


def test_sdxl_is_called_by_its_name(family):
    source = open_source(family["ja"].path)
    source.__dict__["architecture"] = Architecture("SDXL", text_to_image=True)
    alone = Plan(blend([source], {"attention": [1], "backbone": [1]}, host={"default": "ja"}), {"ja": source})
    found = single_file_metadata(alone, title="x")
    assert found["modelspec.architecture"] == "stable-diffusion-xl-v1-base"
    assert found["modelspec.prediction_type"] == "epsilon"
    assert not {"modelspec.merged_from", "modelspec.date", "modelspec.author"} & set(found)


def test_how_it_was_merged(plan, family):
    found = single_file_metadata(plan, title="桜")
    hashes = {name: source.components["unet"].sha256 for name, source in family.items()}
    assert json.loads(found["sd_merge_recipe"]) == {
        "type": "m2n2-studio",
        "primary_model_hash": hashes["ja"],
        "secondary_model_hash": hashes["flat"],
        "tertiary_model_hash": hashes["base"],
        "interp_method": "M2N2",
        "custom_name": "桜",
        "models": [hashes["ja"], hashes["flat"], hashes["base"]],
        "shares": {"attention": [0.75, 0.25, 0.0], "backbone": [0.0, 1.0, 0.0]},
        "splits": {"attention": 12},
        "ratios": {"attention": 0.75},
        "seed": 7,
    }
    assert json.loads(found["sd_merge_models"])[hashes["flat"]] == {
        "name": "flat",
        "legacy_hash": None,
        "sd_merge_recipe": None,
    }


def test_a_file_carries_its_recipe_and_no_paths_of_this_machine(plan, family, tmp_path):
    path = export_file(plan, tmp_path / "桜.safetensors", metadata=single_file_metadata(plan, title="桜"))
    carried = embedded_recipe(path)
    assert carried.digest == plan.recipe.digest
    assert carried.lineage == plan.recipe.lineage
    assert [source.uri for source in carried.sources] == ["base", "ja", "flat", "real"]
    content = path.read_bytes()
    head = content[8 : 8 + int.from_bytes(content[:8], "little")].decode()
    assert str(family["ja"].path.parent) not in head
    assert "桜" in head  # as it is read, no escapes
    assert embedded_recipe(family["ja"].path) is None


def test_the_same_recipe_gives_the_same_bytes(plan, tmp_path):
    one, two = (
        export_file(plan, tmp_path / f"{name}.safetensors", metadata=single_file_metadata(plan, title="桜"))
        for name in ("a", "b")
    )
    assert one.read_bytes() == two.read_bytes()


def test_a_recipe_of_thousands_of_segments_stays_beside_the_file(plan):
    size = plan.recipe.chromosomes["attention"].size
    stops = [*range(1, 20_000), size]
    segments = tuple(Segment(stop=stop, weights=(1 / 3, 1 / 7, 1 / 9, 1 / 11)) for stop in stops)
    chromosomes = plan.recipe.chromosomes | {"attention": Chromosome(size=size, segments=segments)}
    long = Plan(plan.recipe.model_copy(update={"chromosomes": chromosomes}), plan.sources)
    found = single_file_metadata(long, title="x")
    assert RECIPE_KEY not in found
    assert found[f"{RECIPE_KEY}_digest"] == long.recipe.digest
    assert sum(map(len, found.values())) < HEADER_LIMIT


def test_a_thumbnail_is_a_small_jpeg():
    buffer = io.BytesIO()
    Image.new("RGBA", (640, 320), (200, 30, 60, 128)).save(buffer, "PNG")
    kind, _, data = thumbnail_data_url(buffer.getvalue()).partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 256))


def test_the_date_of_reproducible_builds(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert source_date() is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert source_date() == datetime(1970, 1, 2, tzinfo=UTC)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ExportError, match="SOURCE_DATE_EPOCH is 'yesterday'. Expected seconds"):
        source_date()


def test_the_hash_has_its_place(plan):
    assert TENSOR_HASH_KEY in single_file_metadata(plan, title="x")
