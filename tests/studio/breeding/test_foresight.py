"""Which child is drawn where a search looks ahead, and that it can be stopped at any time."""

import json

import numpy as np
import pytest
import torch

from pipelines.recipes.chromosome import Segment
from studio.breeding.foresight import CHILDREN
from studio.breeding.m2n2 import M2N2
from studio.breeding.recipe_space import STRETCHES, RecipeSpace
from studio.evolution.foresight import FEWEST
from studio.networks.config import AnyConfig
from tests.networks import network
from tests.studio.breeding.test_m2n2 import Run

SIZE = 60  # elements of each of two chromosomes
CHROMOSOMES = {"one": ("first",), "two": ("second",)}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Three networks of two tensors that have much in common; three offspring in four are chosen."""
    rng, folder = torch.Generator().manual_seed(0), tmp_path_factory.mktemp("networks")
    common = torch.randn(2, SIZE, generator=rng)
    for name in ("a", "b", "c"):
        first, second = common + 0.3 * torch.randn(2, SIZE, generator=rng)
        network(folder / name, {"first": first, "second": second})
    return AnyConfig(
        sources=tuple(str(folder / name) for name in ("a", "b", "c")),
        chromosomes=CHROMOSOMES,
        scorer="score.py:score",
        archive=6,
        seed=3,
        breeding={"foresight": 0.75},
    )


@pytest.fixture(scope="module")
def sources(config):
    return config.open_sources()


@pytest.fixture(scope="module")
def vectors(sources):
    """The weights of each source by chromosome, float64 [sources, elements]."""
    found = {}
    for name, layout in next(iter(sources.values())).layouts(["model"], CHROMOSOMES).items():
        rows = torch.zeros(len(sources), layout.size)
        for source, row in zip(sources.values(), rows, strict=True):
            source.components["model"].fill_flat(layout, 0, row)
        found[name] = rows.double().numpy()
    return {name: rows for name, rows in found.items() if name in CHROMOSOMES}


def woven(recipe, vectors):
    """A network's weights: float64 [elements]."""
    parts = []
    for name, rows in vectors.items():
        part = np.empty(rows.shape[1])
        for start, stop, weights in recipe.chromosomes[name].spans_within(0, part.size):
            part[start:stop] = np.array(weights) @ rows[:, start:stop]
        parts.append(part)
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def score(vectors):
    """Nearness to a few networks between the sources, as a function of a candidate: float64 [niches]."""
    rows = np.concatenate(list(vectors.values()), axis=1)
    targets = np.random.default_rng(1).dirichlet(np.ones(3), size=5) @ rows

    def scored(candidate):
        away = ((woven(candidate.recipe, vectors) - targets) ** 2).sum(axis=1)
        return 0.9 * np.exp(-away / 20) + 0.01 * candidate.rotation

    return scored


@pytest.fixture
def run(config, sources, score):
    """Begins a search of two networks."""
    return lambda in_flight=1, racing=0.0, **changes: Run(
        sources, in_flight, config=config.model_copy(update=changes), scored=score, racing=racing
    )


def test_recipes_are_as_far_apart_as_their_weights(config, sources, vectors):
    method = M2N2(config, sources)
    space, rng = method._foresight.space, np.random.default_rng(0)
    blends = [method._foresight._blend(rng, name=str(number)).genome for number in range(4)]
    for one in blends:
        for other in blends:
            expected = ((woven(one, vectors) - woven(other, vectors)) ** 2).sum()
            assert ((space.place(one) - space.place(other)) ** 2).sum() == pytest.approx(expected, abs=1e-9)


def test_what_all_sources_share_sets_no_recipes_apart(config, sources):
    """Of parents at a wide angle SLERP makes weights that sum to more than 1."""
    method = M2N2(config, sources)
    recipe, space = method._sources_left[0], method._foresight.space
    louder = Segment(stop=SIZE, weights=(1.3, 0.3, 0.3))
    chromosomes = {
        name: part.model_copy(update={"segments": (louder,)}) if name in CHROMOSOMES else part
        for name, part in recipe.chromosomes.items()
    }
    assert space.place(recipe.model_copy(update={"chromosomes": chromosomes})) == pytest.approx(
        space.place(recipe), abs=1e-6
    )


def test_sources_are_read_once_for_their_stretches(config, sources):
    read = []

    class Counted:
        size = SIZE

        def between(self, start, stop):
            read.append((start, stop))
            return np.eye(3)

    recipe = M2N2(config, sources)._sources_left[0]
    space = RecipeSpace({"one": Counted()}, [0, 1, 2])
    places = [space.place(recipe) for _ in range(3)]
    assert read == [(start, start + SIZE // STRETCHES) for start in range(0, SIZE, SIZE // STRETCHES)]
    assert (places[0] == places[2]).all()
    assert (space.place(recipe) ** 2).sum() == pytest.approx(STRETCHES * 2 / 3)  # |e1 - mean|^2 in each of them


def test_three_in_four_are_chosen_evenly(config, sources):
    foresight = M2N2(config, sources)._foresight
    assert [foresight.chooses(number) for number in range(1, 9)] == [False, True, True, True] * 2
    other = M2N2(config.model_copy(update={"breeding": config.breeding.model_copy(update={"foresight": 1.0})}), sources)
    assert all(other._foresight.chooses(number) for number in range(1, 9))


def test_the_drawn_one_is_of_a_pool_and_the_unseen_one_is_the_first_that_is_bred(run):
    ahead = run()
    while len(ahead.everyone) < 8:
        ahead.step()
    foresight, archive, rng = ahead.method._foresight, ahead.method.archive, np.random.default_rng(0)
    pool = [ahead.method._search._bred() for _ in range(CHILDREN)]
    left = iter(pool)
    chosen = foresight.select(lambda: next(left), rng, number=2, archive=archive, in_flight=[])
    assert chosen in pool or chosen.genome.lineage.splits == {}
    assert next(left, None) is None
    left = iter(pool)
    assert foresight.select(lambda: next(left), rng, number=1, archive=archive, in_flight=[]) is pool[0]
    assert len(list(left)) == CHILDREN - 1


def test_without_enough_scores_nobody_is_chosen_and_nothing_is_expected(run):
    ahead = run()
    while len(ahead.everyone) < FEWEST + 4:
        ahead.step()
    expected = [one.prediction is not None for one in ahead.everyone.values()]
    assert expected == [False] * FEWEST + [True] * 4


def test_predictions_come_near_what_is_found_and_better_children_are_drawn(run, config):
    ahead = run(seed=11, archive=8)
    plain = run(seed=11, archive=8, breeding=config.breeding.model_copy(update={"foresight": 0.0}))
    for _ in range(30):
        ahead.step()
        plain.step()
    assert all(one.prediction is None for one in plain.everyone.values())
    assert ahead.method.best()[1].mean() > plain.method.best()[1].mean()
    missed = [
        np.abs(one.prediction.mean - one.scores["score"][:, 0]).mean()
        for one in list(ahead.everyone.values())[12:]
        if one.prediction is not None and one.scores
    ]
    assert max(missed) < 0.1


@pytest.mark.parametrize("racing", [0.0, 0.9], ids=["drawn to the end", "raced"])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_search_that_looks_ahead_can_be_stopped_with_any_in_flight(run, config, in_flight, racing):
    few = {"archive": 3, "breeding": config.breeding.model_copy(update={"nudges": True})}  # many find no place
    whole, cut = (run(in_flight, racing, **(few if racing else {})) for _ in range(2))
    for number in range(34):  # sources, offspring, everyone alive again after seven of them
        whole.step()
        if number % 3 != 1 and cut.settled:
            cut.interrupt()
        cut.step()
    assert cut.asked == whole.asked
    assert cut.state == whole.state
    assert any(one.partial for one in whole.everyone.values()) == bool(racing)
    for one, other in zip(cut.everyone.values(), whole.everyone.values(), strict=True):
        assert one.race == other.race
        assert (one.prediction is None) == (other.prediction is None)
        if one.prediction is not None:
            assert (one.prediction.mean == other.prediction.mean).all()
            assert (one.prediction.deviation == other.prediction.deviation).all()
    assert "again" in {role for *_, role, _, _ in whole.asked}
    if in_flight > 1:
        assert any("prediction" in one for one in json.loads(whole.state)["in_flight"])


def test_a_race_is_run_against_those_alive_as_a_child_is_bred(run):
    raced = run(racing=0.2)
    while not (raced.method.archive.is_full and raced.method.ready and raced.asked[-1][2] == "offspring"):
        raced.step()
    alive, ids = raced.method.archive.scores.copy(), raced.method.archive.ids
    candidate = raced.method.ask()
    race = candidate.race
    assert (race.ids, race.least, race.alpha) == (ids, 0.2, raced.config.alpha)
    assert (race.alive == alive).all()
    assert (race.mean == candidate.prediction.mean).all()
    plain = run()
    while len(plain.everyone) < 20:
        plain.step()
    assert all(one.race is None and one.partial is None for one in plain.everyone.values())


def test_one_child_in_twenty_is_drawn_to_the_end_by_its_name(config, sources, run):
    raced = run(racing=0.2)
    for _ in range(12):
        raced.step()
    foresight, archive = raced.method._foresight, raced.method.archive
    recipe = next(one.recipe for one in raced.everyone.values() if one.prediction)
    expected = foresight.predict(recipe)
    named = [recipe.model_copy(update={"name": f"{number:04d}"}) for number in range(400)]
    audited = [foresight.race(one, expected, archive).audited for one in named]
    assert 8 <= sum(audited) <= 32
    assert audited == [foresight.race(one, expected, archive).audited for one in named]
