"""Tokens of captions, with tokenizers in the form of XLM-RoBERTa's and SigLIP2's, counted by hand."""

import shutil

import numpy as np
import open_clip
import pytest
from numpy.testing import assert_array_equal

from eval.errors import ScorerError
from eval.scorers.catalogue import REPORTER
from eval.scorers.clip import ClipScorer
from eval.scorers.tokens import cleaning, truncated_by


@pytest.mark.parametrize(
    ("folder", "fits", "too_long", "cleaned", "count"),
    [
        # begin and end mark, a mark before the word, one token a letter; full-width letters are folded
        ("xlm_roberta", "ア" * 74, "ア" * 75, "ａｂｃ  アイ", 9),
        # an end mark, one token a letter and space; ASCII punctuation does not count
        ("siglip2", "ア" * 63, "ア" * 64, "Red, car!!!", 8),
    ],
)
def test_captions_that_multilingual_models_cut_are_reported(request, folder, fits, too_long, cleaned, count):
    scorer = ClipScorer(f"local-dir:{request.getfixturevalue(folder)}")
    assert scorer.token_count(fits) == scorer.context_length
    assert scorer.token_count(too_long) == scorer.context_length + 1
    assert scorer.token_count(cleaned) == count
    assert scorer.truncated([fits, too_long, cleaned]) == [too_long]
    assert truncated_by(scorer.name, [fits, too_long, cleaned]) == [too_long]
    # the model sees no difference after the cut, and does before it
    features = scorer.text_features([too_long, too_long + "カメ", "カ" + too_long])
    assert_array_equal(features[0], features[1])
    assert np.abs(features[0] - features[2]).max() > 1e-3


def test_captions_are_counted_without_opening_the_model(siglip2, tmp_path):
    copy = shutil.copytree(siglip2, tmp_path / "copy")
    (copy / "open_clip_model.safetensors").write_bytes(b"")
    assert truncated_by(f"local-dir:{copy}", ["ア" * 64]) == ["ア" * 64]


def test_a_reporter_that_is_not_here_is_missed_before_the_run(hub):
    with pytest.raises(ScorerError, match="HF_HUB_OFFLINE is set, so nothing was downloaded"):
        truncated_by(REPORTER, ["カメ"])


@pytest.mark.parametrize("opened", [ClipScorer, lambda name: truncated_by(name, ["カメ"])])
def test_a_tokenizer_that_cannot_pad_is_refused_when_opened(bundle, tmp_path, opened):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ScorerError, match="expected .* tokenizer.* found: .*padding token"):
        opened(f"local-dir:{copy}")


def test_cleanings_have_open_clips_names(xlm_roberta, siglip2):
    assert ClipScorer(f"local-dir:{xlm_roberta}").identity["text_cleaning"] == "whitespace"
    assert ClipScorer(f"local-dir:{siglip2}").identity["text_cleaning"] == "canonicalize"
    assert cleaning(open_clip.SimpleTokenizer()) == "lower"
