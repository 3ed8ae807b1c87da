"""Searches on rewards that can be checked by hand: nothing is drawn."""

import numpy as np
import pytest

from pipelines.generation.settings import GenerationSettings
from studio.inference_search.ab_mcts import FIRST
from studio.inference_search.attempts import Attempt, ranked
from studio.inference_search.search import SEARCHES, search
from studio.inference_search.space import Candidate, SearchSpace

SETTINGS = GenerationSettings(steps=20, guidance=5.0)
SPACE = SearchSpace.around(SETTINGS, "a cat", ["a photo of a cat"], seed=40)


def by_noise(candidate):
    """Luck alone: the reward of each noise is another one, and nothing else counts."""
    return 0.2 + (candidate.seed * 7 % 11) / 100


def by_settings(candidate):
    """A little luck, and three things that help wherever they are: the best is 0.22 + 3 x 0.03 + 0.01."""
    helps = [candidate.guidance == 7.0, candidate.steps == 30, candidate.prompt == "a photo of a cat"]
    return 0.22 + 0.03 * sum(helps) + 0.001 * (candidate.seed * 7 % 11)


def test_the_space_lies_around_what_was_asked_for():
    assert SPACE.guidances == (5.0, 3.5, 7.0, 10.0)
    assert SPACE.steps == (20, 30, 40)
    assert SPACE.prompts == ("a cat", "a photo of a cat")
    assert SPACE.moves == ("seed", "guidance", "steps", "wording")
    assert SPACE.plain(2) == Candidate(42, 5.0, 20, "a cat")
    assert SPACE.neighbours(SPACE.plain(0), "steps") == (
        Candidate(40, 5.0, 30, "a cat"),
        Candidate(40, 5.0, 40, "a cat"),
    )
    assert SPACE.neighbours(SPACE.plain(0), "seed") == ()


def test_settings_that_belong_to_a_model_stay():
    few_steps = GenerationSettings(steps=4, guidance=0.0, speed="lightning")
    assert SearchSpace.around(few_steps, "a cat").moves == ("seed",)
    unguided = SearchSpace.around(SETTINGS.model_copy(update={"guidance": 1.0}), "a cat", ["a cat"])
    assert (unguided.guidances, unguided.prompts) == ((1.0,), ("a cat",))


def test_best_of_n_tries_one_noise_after_another():
    made = search("best-of-n", SPACE, by_noise, 5)
    assert [attempt.candidate for attempt in made] == [SPACE.plain(noise) for noise in range(5)]
    # 40..44 times 7 are 280, 287, 294, 301, 308: modulo 11 that is 5, 1, 8, 4, 0
    assert [attempt.number for attempt in ranked(made)] == [2, 0, 3, 1, 4]
    assert ranked(made)[0].reward == pytest.approx(0.28)


def test_of_equals_the_first_one_is_the_best():
    assert [one.number for one in ranked([Attempt(n, SPACE.plain(n), 0.5) for n in (1, 0)])] == [0, 1]


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("budget", [1, FIRST, FIRST + 3])
def test_a_search_spends_its_budget_and_begins_with_what_was_asked_for(name, budget):
    told = []
    made = search(name, SPACE, by_noise, budget, on_attempt=lambda attempts: told.append(len(attempts)))
    assert told == list(range(1, budget + 1))
    assert made[0] == Attempt(0, SPACE.plain(0), by_noise(SPACE.plain(0)))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_that_is_stopped_keeps_what_it_has(name):
    seen = []
    made = search(name, SPACE, by_noise, 30, on_attempt=seen.append, is_stopped=lambda: len(seen) >= FIRST + 2)
    assert len(made) == FIRST + 2
    assert len(search(name, SPACE, by_noise, 30, is_stopped=lambda: True)) == 1  # the picture as it was asked for


def test_ab_mcts_draws_nothing_twice_and_changes_one_thing_at_a_time():
    made = search("ab-mcts", SPACE, by_settings, 40)
    assert [attempt.candidate for attempt in made[:FIRST]] == [SPACE.plain(noise) for noise in range(FIRST)]
    assert len({attempt.candidate for attempt in made}) == 40
    for attempt in made[FIRST:]:
        before = SPACE.plain(0) if attempt.parent is None else made[attempt.parent].candidate
        changed = {
            key for key in ("seed", "guidance", "steps", "prompt")
            if getattr(attempt.candidate, key) != getattr(before, key)
        }  # fmt: skip
        assert len(changed - {"seed"}) <= 1
        assert attempt.parent is None or len(changed) == 1
    assert max(attempt.parent or 0 for attempt in made) > 0


def best_reward(name, seed):
    space = SearchSpace(seed, SPACE.guidances, SPACE.steps, SPACE.prompts)
    return ranked(search(name, space, by_settings, 32))[0].reward


def test_ab_mcts_finds_what_helps_where_noise_alone_cannot():
    assert [best_reward("best-of-n", seed) for seed in range(6)] == pytest.approx([0.23] * 6)  # the luckiest of eleven
    assert np.mean([best_reward("ab-mcts", seed) for seed in range(6)]) > 0.26  # one of the three things at the least


def test_ab_mcts_is_the_same_for_the_same_seed_and_leaves_the_generator_of_all_alone():
    np.random.seed(5)
    expected = np.random.random(3)
    np.random.seed(5)
    first = search("ab-mcts", SPACE, by_settings, 20)
    assert np.random.random(3).tolist() == expected.tolist()
    assert search("ab-mcts", SPACE, by_settings, 20) == first
    other = SearchSpace(41, SPACE.guidances, SPACE.steps, SPACE.prompts)
    assert search("ab-mcts", other, by_settings, 20) != first


def test_rewards_that_are_all_alike_are_searched_too():
    assert len(search("ab-mcts", SPACE, lambda _: 0.0, 12)) == 12


def test_where_only_noise_can_change_ab_mcts_tries_noise():
    narrow = SearchSpace(0, (5.0,), (20,), ("a cat",))
    seeds = [attempt.candidate.seed for attempt in search("ab-mcts", narrow, by_noise, 10)]
    assert sorted(seeds) == list(range(10))


def test_what_drawing_raises_ends_the_search():
    def broken(_):
        raise ValueError("black")

    with pytest.raises(ValueError, match="black"):
        search("ab-mcts", SPACE, broken, 3)
