"""What a scorer offers, and that an open_clip model offers all of it."""

import gc
import inspect
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from eval.metrics import similarity
from eval.scorers.clip import ClipScorer
from eval.scorers.scorer import FeatureScorer, Scorer

CAPTIONS = ["カメ", "turtle"]


@pytest.fixture
def scorer(bundle) -> FeatureScorer:
    return ClipScorer(f"local-dir:{bundle}")


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in CAPTIONS]


def members(protocol):
    return {name: value for name, value in vars(protocol).items() if not name.startswith("_")}


@pytest.mark.parametrize("protocol", [Scorer, FeatureScorer])
def test_an_open_clip_model_is_a_scorer_and_its_methods_are_called_alike(scorer, protocol):
    assert members(protocol)
    for name, wanted in members(protocol).items():
        offered = getattr(scorer, name)
        if inspect.isfunction(wanted):
            assert list(inspect.signature(offered).parameters) == list(inspect.signature(wanted).parameters)[1:]


def test_scores_are_cosines_of_features(scorer, pictures):
    scores = scorer.score(pictures, CAPTIONS)
    assert (scores.dtype, scores.shape) == (np.float64, (2,))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert_array_equal(scores, similarity(scorer.image_features(pictures), scorer.text_features(CAPTIONS)))


def test_an_identity_names_the_scorer_and_its_weights(scorer):
    assert scorer.identity["name"] == scorer.name
    assert len(scorer.identity["sha256"]) == 64


def test_a_released_scorer_keeps_no_weights(scorer, pictures):
    scorer.score(pictures, CAPTIONS)
    model = weakref.ref(scorer._model)
    assert model() is not None
    scorer.release()
    gc.collect()
    assert model() is None
