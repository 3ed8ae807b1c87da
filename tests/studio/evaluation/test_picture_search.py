"""Searches for a picture: what is drawn, what is scored, and pictures that cannot be made."""

import contextlib
import dataclasses

import numpy as np
import pytest
from PIL import Image

from pipelines.errors import GenerationError
from pipelines.generation.settings import GenerationSettings
from studio.evaluation.picture_search import PictureSearch, PictureWish, search_picture
from studio.execution.creation import create_run
from studio.library.model_reference import run_config_of, syntax_of_model

WISH = PictureWish("(犬:1.2)", 12, "ab-mcts", GenerationSettings(steps=2, batch=9), "ja", ("いぬ",), 5, "a1111")


class BrightnessScorer:
    """Scores a picture by how bright it is, and remembers the captions."""

    def __init__(self):
        self.captions = []

    def on_device(self):
        return contextlib.nullcontext()

    def score(self, pictures, captions):
        self.captions += captions
        return np.array([np.asarray(picture).mean() / 255 for picture in pictures])


def brighter_with_guidance(request, settings):
    """A grey picture as bright as guidance and seed say; the strongest guidance gives none."""
    if settings.guidance == 6.0:
        raise GenerationError("The picture is black.")
    return Image.new("RGB", (8, 8), (round(20 * settings.guidance) + request.seed % 5,) * 3)


def test_pictures_are_scored_by_the_words_that_were_asked_for():
    scorer, drawn = BrightnessScorer(), []

    def draw(request, settings):
        drawn.append((request, settings))
        return brighter_with_guidance(request, settings.model_copy(update={"guidance": 3.0}))

    found = search_picture(WISH, draw, scorer)
    assert len(found) == len(drawn) == 12
    assert set(scorer.captions) == {"犬"}
    assert {request.prompt for request, _ in drawn} == {"(犬:1.2)", "いぬ"}
    assert {request.syntax for request, _ in drawn} == {"a1111"}
    assert {settings.batch for _, settings in drawn} == {1}


def test_a_picture_that_cannot_be_made_is_worth_nothing(one_hot, tmp_path):
    found = search_picture(dataclasses.replace(WISH, budget=24), brighter_with_guidance, BrightnessScorer())
    lost = [one for one in found if one.image is None]
    assert lost
    assert all((one.attempt.candidate.guidance, one.attempt.reward) == (6.0, 0.0) for one in lost)
    assert found[-len(lost) :] == lost
    result = PictureSearch(one_hot["ja"], WISH, {"name": "x"}, found, ())
    result.write(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.png"))) == 24 - len(lost)
    assert result.as_json()["tried"][-1]["file"] is None
    assert result.as_json()["tried"][-1]["problem"] == "The picture is black."


def test_where_what_was_asked_for_cannot_be_drawn_nothing_is_searched():
    settings = GenerationSettings(steps=2, guidance=6.0)
    with pytest.raises(GenerationError, match="black"):
        search_picture(dataclasses.replace(WISH, settings=settings), brighter_with_guidance, BrightnessScorer())


def test_the_run_of_an_individual_says_who_scores_and_how_prompts_are_read(small_config, tmp_path):
    config = small_config.model_copy(update={"prompt_syntax": "a1111"})
    create_run(tmp_path / "run", config).close()
    assert run_config_of(f"{tmp_path / 'run'}:0001").scorer == config.scorer
    assert syntax_of_model(f"{tmp_path / 'run'}:0001") == "a1111"
    assert run_config_of(str(tmp_path / "run")) is None
