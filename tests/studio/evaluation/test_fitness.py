"""What an individual is worth, from what a worker gives back: numbers that fit on paper."""

import numpy as np
import pytest
from PIL import Image

from eval.prompts.prompt_set import load_prompts
from pipelines.errors import GenerationError
from pipelines.generation.live_pipeline import PictureRequest
from studio.breeding.initial_population import source_recipes
from studio.evaluation.evaluator import DrawnPicture, PictureScores
from studio.evaluation.fitness import FitnessEvaluation
from studio.evaluation.worker import EvaluationResult
from studio.evolution.archive import Archive
from studio.evolution.racing import Race, Surprise
from studio.runs.config import checked
from studio.runs.inputs import open_run_sources
from studio.runs.noise import Noise

NOISE = Noise(1)


class Scripted:
    """A worker that draws black pictures and gives every one the score of its language, until told to fail."""

    def __init__(self, scores, *, broken=()):
        self.scores, self.broken, self.asked = scores, broken, []

    def evaluate(self, request, on_progress=None):
        """Scores without a model."""
        self.asked.append((request.language, request.prompts.ids))
        if request.language in self.broken:
            raise GenerationError("black")
        pictures = tuple(
            DrawnPicture(Image.new("RGB", (8, 8)), id, request.language, 0, PictureRequest(id, 0))
            for id in request.prompts.ids
        )
        n = len(pictures)
        return EvaluationResult(
            pictures, PictureScores(np.full((n, 1), self.scores[request.language]), np.ones((n, 2), dtype=np.float32))
        )


@pytest.fixture(scope="module")
def recipe(small_config):
    return next(iter(source_recipes(small_config, open_run_sources(small_config)).values()))


@pytest.fixture
def evaluation(small_config, few_prompts, tmp_path):
    def build(worker, **changes):
        config = checked({**small_config.model_dump(), **changes})
        prompts = load_prompts(few_prompts)
        return FitnessEvaluation(config, worker, prompts, folder=tmp_path, raters=(), tick=lambda _: None)

    return build


def full_archive(score):
    archive = Archive(2)
    for name in ("a", "b"):
        archive.insert(name, [score] * 5)
    return archive


def test_what_competes_is_drawn_first_and_the_twins_for_a_report(evaluation, recipe, few_prompts):
    worker, ids = Scripted({"ja": 0.5, "en": 0.25}), load_prompts(few_prompts).ids
    fitness = evaluation(worker)
    result = fitness.evaluate(recipe, Archive(5), NOISE)
    assert (result.complete, result.error, set(result.scores)) == (True, None, {"ja"})
    assert fitness.niches(result.scores).tolist() == [0.5] * 5
    full = fitness.report_twins(recipe, result, NOISE)
    assert list(full.scores) == ["ja", "en", "consistency"]
    assert [one.language for one in full.pictures] == ["en"] * 5
    assert worker.asked == [("ja", ids), ("en", ids)]
    both = evaluation(Scripted({"ja": 0.5, "en": 0.25})).both_languages(recipe, NOISE)
    assert [one.language for one in both.pictures] == ["ja"] * 5 + ["en"] * 5
    assert {kind: rows.tolist() for kind, rows in both.scores.items()} == {
        kind: rows.tolist() for kind, rows in full.scores.items()
    }


def test_who_cannot_enter_is_given_up_and_its_scores_say_so(evaluation, recipe):
    worker = Scripted({"ja": 0.0})
    fitness = evaluation(worker, early_rejection=True, archive=4, pictures={"steps": 2, "batch": 2})
    result = fitness.evaluate(recipe, full_archive(1.0), NOISE)
    assert (result.complete, result.error, result.scores) == (False, None, {})
    assert len(worker.asked) == 1
    assert [len(found.pictures) for found in result.evaluations.values()] == [2]
    assert result.partial.spared == 3
    assert result.partial.values[~np.isnan(result.partial.values)].tolist() == [0.0, 0.0]


def test_while_there_is_room_or_hope_everything_is_drawn(evaluation, recipe):
    worker = Scripted({"ja": 1.0})
    fitness = evaluation(worker, early_rejection=True, archive=4, pictures={"steps": 2, "batch": 2})
    for archive, asked in ((Archive(3), 1), (full_archive(0.5), 3)):
        worker.asked.clear()
        result = fitness.evaluate(recipe, archive, NOISE)
        assert result.complete
        assert result.scores["ja"].tolist() == [[1.0]] * 5
        assert len(worker.asked) == asked


def race(least=0.05, audited=False, mean=0.1):
    """Of five prompts, beside two that score 0.5 in all of them; the second prompt is the least known."""
    return Race(
        ids=("a", "b"),
        alive=np.repeat([[0.5], [0.6]], 5, axis=1),
        alpha=1.0,
        mean=np.full(5, mean),
        deviation=np.array([0.01, 0.05, 0.02, 0.03, 0.04]),
        surprise=Surprise(),
        least=least,
        audited=audited,
    )


def test_who_will_hardly_enter_is_given_up_after_the_prompts_that_tell_most(evaluation, recipe, few_prompts):
    worker, ids = Scripted({"ja": 0.1}), load_prompts(few_prompts).ids
    fitness = evaluation(worker, racing=0.05, pictures={"steps": 2, "batch": 2})
    result = fitness.evaluate(recipe, full_archive(0.5), NOISE, race())
    assert (result.complete, result.error, result.scores) == (False, None, {})
    assert worker.asked == [("ja", [ids[1], ids[4]])]
    assert result.partial.values[:, 0] == pytest.approx([np.nan, 0.1, np.nan, np.nan, 0.1], nan_ok=True)
    assert (result.race.drawn, result.race.chance < 0.05) == (2, True)
    assert [picture.prompt for picture in result.evaluations["ja"].pictures] == [ids[1], ids[4]]


def test_an_audited_one_is_drawn_to_the_end_and_says_where_it_would_have_ended(evaluation, recipe, few_prompts):
    worker, ids = Scripted({"ja": 0.1}), load_prompts(few_prompts).ids
    fitness = evaluation(worker, racing=0.05, pictures={"steps": 2, "batch": 2})
    result = fitness.evaluate(recipe, full_archive(0.5), NOISE, race(audited=True))
    assert result.complete
    assert result.scores["ja"].tolist() == [[0.1]] * 5
    assert [asked for _, asked in worker.asked] == [[ids[1], ids[4]], [ids[3], ids[2]], [ids[0]]]
    assert [picture.prompt for picture in result.evaluations["ja"].pictures] == ids  # as without a race
    assert result.race.drawn == 2


def test_who_may_enter_is_drawn_to_the_end(evaluation, recipe):
    fitness = evaluation(Scripted({"ja": 0.9}), racing=0.05, pictures={"steps": 2, "batch": 2})
    result = fitness.evaluate(recipe, full_archive(0.5), NOISE, race(mean=0.9))
    assert (result.complete, result.race) == (True, None)
    failed = evaluation(Scripted({}, broken=("ja",)), racing=0.05).evaluate(recipe, full_archive(0.5), NOISE, race())
    assert (failed.complete, failed.partial, failed.error) == (False, None, "black")


def test_a_failure_is_told_with_the_languages_done_before(evaluation, recipe):
    fitness = evaluation(Scripted({"ja": 0.5}, broken=("en",)), compete=("ja", "en"))
    result = fitness.evaluate(recipe, Archive(5), NOISE)
    assert (result.complete, result.error, set(result.scores)) == (False, "black", {"ja"})
    early = evaluation(Scripted({}, broken=("ja",)), early_rejection=True, archive=4)
    result = early.evaluate(recipe, full_archive(0.5), NOISE)
    assert (result.complete, result.partial, result.error, dict(result.scores)) == (False, None, "black", {})
