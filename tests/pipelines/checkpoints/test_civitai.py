"""What download tools leave beside a file of what Civitai says of it, in each tool's nesting."""

import json
import os

import pytest

from pipelines.checkpoints.civitai import CivitaiClaims, civitai_claims

MODEL = {
    "allowNoCredit": False,
    "allowCommercialUse": ["Image", "RentCivit"],
    "allowDerivatives": True,
    "allowDifferentLicense": False,
    "creator": {"username": "美咲"},
}
CLAIMS = CivitaiClaims(False, frozenset({"Image", "RentCivit"}), True, False, "美咲", "Illustrious")
LAYOUTS = {
    "model.civitai.info": {"baseModel": "Illustrious", "model": MODEL},
    "model.metadata.json": {"base_model": "Illustrious", "civitai": {"baseModel": "Illustrious", "model": MODEL}},
    "model.cm-info.json": {"BaseModel": "x", "ModelVersion": {"baseModel": "Illustrious"}, **MODEL},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_flags_author_and_base_model_are_found(tmp_path, name):
    (tmp_path / name).write_text(json.dumps(LAYOUTS[name]), "utf-8")
    assert civitai_claims(tmp_path / "model.safetensors") == CLAIMS


@pytest.mark.parametrize(
    ("written", "sold"),
    [
        ("Sell", {"Sell"}), ("None", set()), ("{Image,Sell}", {"Image", "Sell"}), ([], set()), (["None"], set()),
        (None, None), (3, None),
    ],
)  # fmt: skip
def test_what_may_be_sold_was_written_in_several_ways(tmp_path, written, sold):
    content = {"allowCommercialUse": written, "allowDerivatives": False}
    (tmp_path / "model.civitai.info").write_text(json.dumps(content))
    claims = civitai_claims(tmp_path / "model.safetensors")
    assert (claims.commercial_use, claims.derivatives) == (sold, False)


@pytest.mark.parametrize(
    "content", ["", "[" * 100_000, "[]", "{}", '{"allowDerivatives": "no"}', "\\x00", '{"model": 3}']
)
def test_what_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / "model.civitai.info").write_text(content)
    assert civitai_claims(tmp_path / "model.safetensors") is None


def test_only_what_bears_the_files_name_and_is_a_small_file_is_read(tmp_path):
    (tmp_path / "other.civitai.info").write_text(json.dumps(MODEL))
    assert civitai_claims(tmp_path / "model.safetensors") is None
    os.symlink(tmp_path / "other.civitai.info", tmp_path / "model.civitai.info")
    assert civitai_claims(tmp_path / "model.safetensors") is None
    (tmp_path / "model.metadata.json").write_text(json.dumps({**MODEL, "description": "x" * (1 << 20)}))
    assert civitai_claims(tmp_path / "model.safetensors") is None
