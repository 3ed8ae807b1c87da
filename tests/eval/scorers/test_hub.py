"""What is said of files that are nowhere: what to download, how large, why it was not, and where to put it."""

import json

import pytest

from eval.errors import ScorerError
from eval.scorers.catalogue import RECOMMENDED, XLM_ROBERTA_H
from eval.scorers.clip import ClipScorer
from eval.scorers.model_files import locate

TEXT = ("config.json", "tokenizer.json", "tokenizer_config.json")


@pytest.mark.parametrize("one", RECOMMENDED, ids=lambda one: one.model)
def test_what_is_nowhere_is_named_with_what_to_do(hub, one):
    with pytest.raises(ScorerError) as caught:
        ClipScorer(one.name)
    message = str(caught.value)
    assert message.startswith(f"scorer '{one.name}': expected its files in the hub's cache, {hub.cache}; found no ")
    assert f"{one.file} (about {one.bytes / 1e9:.1f} GB, {one.licence}) of {one.repository}" in message
    assert "HF_HUB_OFFLINE is set" in message
    assert f"`hf download {one.repository} --include" in message
    assert f'--include "{one.file}"`' in message
    assert "HF_HOME" in message
    assert f"or add --local-dir /path and name '{one.name}@/path'" in message


def test_the_repository_of_the_text_tower_is_named_too(hub, xlm_roberta):
    needed = (
        "config.json of xlm-roberta-large, no tokenizer.json of xlm-roberta-large: .*`hf download xlm-roberta-large "
    )
    with pytest.raises(ScorerError, match=needed):
        locate(XLM_ROBERTA_H.name)
    hub("xlm-roberta-large", xlm_roberta, *TEXT)
    with pytest.raises(ScorerError, match="found no open_clip_pytorch_model.bin") as caught:
        locate(XLM_ROBERTA_H.name)
    assert "tokenizer.json of" not in str(caught.value)


def test_a_repository_no_hub_can_have_is_refused(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(ScorerError, match=r"found no open_clip_config.json of a b.*the download failed \(Repo id must"):
        ClipScorer("hf-hub:a b")


def test_a_name_longer_than_any_files_is_a_repository_that_is_nowhere(hub, tmp_path):
    config = {"model_cfg": {"vision_cfg": {}, "text_cfg": {"hf_tokenizer_name": "a" * 300}}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ScorerError, match="found no"):
        locate(f"local-dir:{tmp_path}")
