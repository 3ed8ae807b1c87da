"""Names of scorers, and where their files are found: folders, and a hub cache laid out by hand."""

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image

from eval.errors import ScorerError
from eval.scorers.catalogue import SIGLIP2_B, XLM_ROBERTA_H
from eval.scorers.clip import ClipScorer
from eval.scorers.model_files import locate, split_name, weights_size

TEXT = ("config.json", "tokenizer.json", "tokenizer_config.json")
MODEL = ("open_clip_config.json", "open_clip_model.safetensors")


def same(scorer, other):
    assert scorer.digest == other.digest
    assert_array_equal(scorer.text_features(["カメ"]), other.text_features(["カメ"]))
    picture = Image.linear_gradient("L").convert("RGB")
    assert_array_equal(scorer.image_features([picture]), other.image_features([picture]))


def test_a_folder_with_a_transformers_text_tower_needs_no_hub(hub, xlm_roberta):
    scorer = ClipScorer(f"local-dir:{xlm_roberta}")
    assert locate(scorer.name).text_cfg["hf_model_name"] == str(xlm_roberta)
    model, _, _ = open_clip.create_model_and_transforms(
        f"local-dir:{xlm_roberta}",
        text_cfg={
            "hf_model_name": str(xlm_roberta),
            "hf_tokenizer_name": "x",
            "hf_pooler_type": "mean_pooler",
            "hf_model_pretrained": False,
        },
    )
    with torch.no_grad():
        expected = model.eval().encode_text(torch.tensor([[0, 4, 10, 15, 2] + 72 * [1]]))  # <s> ▁ カ メ </s>
    assert_array_equal(scorer.text_features(["カメ"]), torch.nn.functional.normalize(expected).numpy())


def test_a_folder_without_its_text_towers_configuration_says_what_is_missing(hub, xlm_roberta, tmp_path):
    copy = shutil.copytree(xlm_roberta, tmp_path / "copy")
    (copy / "config.json").write_text('{"architecture": "vit_base"}')  # timm's
    (copy / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    with pytest.raises(ScorerError, match="no config.json of xlm-roberta-base: HF_HUB_OFFLINE is set") as caught:
        ClipScorer(f"local-dir:{copy}")
    assert str(caught.value).endswith(f'`hf download xlm-roberta-base --include "config.json" --local-dir {copy}`')
    hub("xlm-roberta-base", xlm_roberta, "config.json")
    same(ClipScorer(f"local-dir:{copy}"), ClipScorer(f"local-dir:{xlm_roberta}"))


@pytest.mark.parametrize("content", ["{", "[]", '{"model_cfg": {}}'])
def test_a_folder_without_a_sound_configuration_is_refused(bundle, tmp_path, content):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "open_clip_config.json").write_text(content)
    with pytest.raises(ScorerError, match="expected JSON with `text_cfg` in `model_cfg`, found"):
        ClipScorer(f"local-dir:{copy}")


@pytest.mark.parametrize("offline", [True, False])
def test_a_repository_in_the_cache_is_opened_without_a_network(hub, monkeypatch, siglip2, offline):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    hub("owner/siglip2", siglip2, *MODEL)
    hub("timm/ViT-B-16-SigLIP2-256", siglip2, "tokenizer.json", "tokenizer_config.json")
    scorer = ClipScorer("hf-hub:owner/siglip2")
    same(scorer, ClipScorer(f"local-dir:{siglip2}"))
    assert scorer.identity["name"] == "hf-hub:owner/siglip2"
    assert scorer.context_length == 64


def test_a_model_of_open_clips_own_in_the_cache_is_opened_without_a_network(hub, monkeypatch, xlm_roberta, tmp_path):
    config = json.loads((xlm_roberta / "open_clip_config.json").read_text())["model_cfg"]
    tag = {"hf_hub": "owner/tiny/", "mean": (0.4,) * 3, "std": (0.2,) * 3, "resize_mode": "squash", "quick_gelu": True}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", {"some_tag": tag})
    state = open_clip.factory.load_state_dict(xlm_roberta / "open_clip_model.safetensors")
    torch.save(state, tmp_path / "open_clip_pytorch_model.bin")
    hub("owner/tiny", tmp_path, "open_clip_pytorch_model.bin")
    hub("xlm-roberta-base", xlm_roberta, *TEXT)
    scorer = ClipScorer("tiny/some_tag")
    assert scorer.digest == ClipScorer(f"local-dir:{xlm_roberta}").digest
    image = scorer.identity["image"]
    assert (image["mean"], image["std"], image["resize_mode"]) == ([0.4] * 3, [0.2] * 3, "squash")
    activations = {type(module).__name__ for module in scorer._model.visual.modules()}
    assert "QuickGELU" in activations  # the weights were trained with it, whatever the architecture says
    assert weights_size("tiny/some_tag") == (tmp_path / "open_clip_pytorch_model.bin").stat().st_size


def test_a_model_of_open_clips_own_is_opened_from_a_folder(hub, monkeypatch, siglip2):
    config = json.loads((siglip2 / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, SIGLIP2_B.model, config)  # the same, but small
    scorer = ClipScorer(f"{SIGLIP2_B.name}@{siglip2}")
    same(scorer, ClipScorer(f"local-dir:{siglip2}"))
    assert scorer.identity["image"]["resize_mode"] == "squash"
    assert weights_size(scorer.name) == (siglip2 / "open_clip_model.safetensors").stat().st_size
    with pytest.raises(ScorerError, match=rf"files in {hub.cache} or the hub's cache.*--local-dir {hub.cache}`$"):
        ClipScorer(f"{SIGLIP2_B.name}@{hub.cache}")


def test_names_are_split_at_the_tag():
    assert split_name("ViT-B-32/laion2b_s34b_b79k") == ("ViT-B-32", "laion2b_s34b_b79k", None)
    assert split_name("ViT-B-32/openai@/models/b") == ("ViT-B-32", "openai", Path("/models/b"))


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-32/", "ViT-B-32/closedai"])
def test_a_model_without_a_tag_it_has_is_refused(name):
    with pytest.raises(
        ScorerError, match=r"found no such tag; choose one of: ViT-B-32/openai, ViT-B-32/laion400m_e31,"
    ):
        ClipScorer(name)


def test_a_model_that_open_clip_does_not_know_is_refused():
    with pytest.raises(
        ScorerError, match=f"found none of that name; use 'local-dir:/path'.* like {XLM_ROBERTA_H.name}"
    ):
        ClipScorer("ViT-B-33")


def test_a_bare_path_is_told_how_to_be_written(bundle):
    with pytest.raises(ScorerError, match=f"found a path; for a folder write 'local-dir:{bundle}'"):
        ClipScorer(str(bundle))


def test_the_size_of_weights_is_known_before_they_are_opened(hub, bundle, siglip2):
    assert weights_size(f"local-dir:{bundle}") == (bundle / "open_clip_model.safetensors").stat().st_size
    assert weights_size(SIGLIP2_B.name) == SIGLIP2_B.bytes  # nowhere here: as the hub lists it
    assert weights_size("hf-hub:owner/unknown") is None
    assert weights_size(f"local-dir:{bundle / 'absent'}") is None
    hub("owner/siglip2", siglip2, *MODEL)
    assert weights_size("hf-hub:owner/siglip2") == (siglip2 / "open_clip_model.safetensors").stat().st_size
