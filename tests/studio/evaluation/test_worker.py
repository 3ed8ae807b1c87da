"""A worker: values in, values out, and nothing left behind between two requests."""

import dataclasses
import pickle
import threading

import pytest

from eval.prompts.prompt_set import load_prompts
from pipelines.errors import GenerationError
from studio.breeding.initial_population import source_recipes
from studio.evaluation.evaluator import DrawingConditions, Evaluator, Fitness
from studio.evaluation.open_scorer import open_scorer
from studio.evaluation.worker import EvaluationRequest, LocalWorker
from studio.png_metadata import png_bytes
from studio.runs.inputs import open_run_sources
from studio.runs.noise import Noise, noise_seed
from studio.workers.split_evaluation import SplitEvaluation


@pytest.fixture(scope="module")
def family(small_config):
    sources = open_run_sources(small_config)
    return sources, source_recipes(small_config, sources)


@pytest.fixture(scope="module")
def worker(small_config, family):
    sources, recipes = family
    scorer = open_scorer(small_config.scorer)
    evaluator = Evaluator(recipes["ja"], sources, settings=small_config.pictures, scorer_bytes=scorer.weights_bytes)
    return LocalWorker(evaluator, scorer)


@pytest.fixture
def request_of_ja(small_config, family, fewer_prompts):
    conditions = DrawingConditions(small_config.pictures, Noise(2))
    return EvaluationRequest(family[1]["ja"], load_prompts(fewer_prompts), "ja", conditions)


def same(one, other):
    assert one.scores.scores.tobytes() == other.scores.scores.tobytes()
    assert one.scores.features.tobytes() == other.scores.features.tobytes()
    assert [png_bytes(picture.image, {}) for picture in one.pictures] == [
        png_bytes(picture.image, {}) for picture in other.pictures
    ]


def test_pictures_come_prompt_by_prompt_and_noise_by_noise_with_their_scores(worker, request_of_ja):
    told = []
    result = worker.evaluate(request_of_ja, told.append)
    ids = request_of_ja.prompts.ids
    assert [(one.prompt, one.noise) for one in result.pictures] == [(id, noise) for id in ids for noise in (0, 1)]
    assert [one.request.seed for one in result.pictures] == [noise_seed(id, noise) for id in ids for noise in (0, 1)]
    assert result.scores.scores.shape == (2, 2)
    assert len(result.scores.features) == 4
    assert told[-1] == 4


@pytest.mark.parametrize("count", [0, 2, 9])
def test_parts_of_a_request_give_together_what_it_gives_whole(worker, request_of_ja, few_prompts, count):
    """To the last bit: rounds are drawn and scored as they are in the whole."""
    conditions = DrawingConditions(request_of_ja.conditions.settings.model_copy(update={"batch": 2}), Noise(1))
    whole = dataclasses.replace(request_of_ja, prompts=load_prompts(few_prompts), conditions=conditions)
    parts = whole.split(count)
    assert [len(part.prompts) for part in parts] == {0: [5], 2: [2, 3], 9: [2, 2, 1]}[count]
    first, *others = map(worker.evaluate, parts)
    same(first.joined(others), worker.evaluate(whole))


class OneByOne:
    """A pool that seems to have several workers."""

    def __init__(self, worker, count):
        self.worker, self.count, self.asked, self.lock = worker, count, [], threading.Lock()

    def evaluate(self, request, on_progress):
        with self.lock:
            self.asked.append(len(request.prompts))
            return self.worker.evaluate(request, on_progress)


def test_workers_beyond_those_in_flight_draw_parts_and_less_than_twice_as_many_do_not(
    worker, request_of_ja, few_prompts
):
    settings = request_of_ja.conditions.settings.model_copy(update={"batch": 2})
    conditions = dataclasses.replace(request_of_ja.conditions, settings=settings)
    whole = dataclasses.replace(request_of_ja, prompts=load_prompts(few_prompts), conditions=conditions)
    for count, parts in ((5, [2, 3]), (3, [5])):
        pool, told = OneByOne(worker, count), []
        same(SplitEvaluation(pool, 2).evaluate(whole, told.append), worker.evaluate(whole))
        assert sorted(pool.asked) == parts
        assert told == sorted(told)
        assert told[-1] == 10


def test_request_and_result_survive_pickling(worker, request_of_ja):
    asked = pickle.loads(pickle.dumps(request_of_ja))
    assert asked == request_of_ja
    result = worker.evaluate(asked)
    same(pickle.loads(pickle.dumps(result)), result)


def test_what_came_between_two_equal_requests_makes_no_difference(worker, family, request_of_ja, few_prompts):
    first = worker.evaluate(request_of_ja)
    others = DrawingConditions(request_of_ja.conditions.settings.model_copy(update={"batch": 1}), Noise(1, rotation=3))
    fitness = Fitness({"text": 2.0})
    other = worker.evaluate(EvaluationRequest(family[1]["flat"], load_prompts(few_prompts), "en", others, fitness))
    assert other.pictures[0].request.seed == noise_seed(other.pictures[0].prompt, 3)
    same(worker.evaluate(request_of_ja), first)


def test_a_request_may_be_given_up(worker, request_of_ja):
    def stop(done):
        raise GenerationError("enough")

    with pytest.raises(GenerationError, match="enough"):
        worker.evaluate(request_of_ja, stop)


def test_a_round_is_as_many_whole_prompts_as_a_batch_holds(small_config, few_prompts):
    prompts = load_prompts(few_prompts)

    def sizes(batch, noises):
        settings = small_config.pictures.model_copy(update={"batch": batch})
        return [len(some) for some in DrawingConditions(settings, Noise(noises)).rounds(prompts)]

    assert sizes(2, 1) == [2, 2, 1]
    assert sizes(5, 2) == [2, 2, 1]
    assert sizes(2, 3) == [1] * 5
    assert sizes(16, 1) == [5]
