"""What is expected of individuals that nobody scored: by the textbook's formulas, and whom it has tried."""

import numpy as np
import pytest

from studio.evolution.calibration import HALF_WIDTH, calibration
from studio.evolution.errors import EvolutionError
from studio.evolution.foresight import FEWEST, LENGTHS, NOISES, Forecast, ScoreModel, most_promising, squared_distances
from studio.evolution.niches import fitness, newcomer_fitness

UNIT = 0.5


def landscape(places):
    """Smooth scores of points in the plane, float64 [points, 3], in 0..1."""
    x, y = np.asarray(places).T
    return 0.5 + 0.4 * np.stack([np.sin(3 * x), np.cos(2 * y), np.sin(x + y)], axis=1)


def scattered(count, seed):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 2))


def by_hand(places, scores, wanted, length, noise):
    """Ordinary kriging by explicit inverses: mean, variance of the score as a share of the niche's, log likelihood."""

    def kernel(some, others):
        return np.exp(-((some[:, np.newaxis] - others) ** 2).sum(axis=2) / (2 * length**2))

    covariance = kernel(places, places) + noise * np.eye(len(places))
    inverse, ones = np.linalg.inv(covariance), np.ones(len(places))
    level = ones @ inverse @ scores / (ones @ inverse @ ones)
    rest = scores - level
    variance = np.einsum("in,ij,jn->n", rest, inverse, rest) / len(places)
    near = kernel(wanted, places)
    share = 1 - np.einsum("ij,jk,ik->i", near, inverse, near)
    determinant = np.linalg.slogdet(covariance)[1]
    likelihood = -0.5 * (scores.shape[1] * determinant + len(places) * np.log(variance).sum())
    return level + near @ inverse @ rest, share[:, np.newaxis] * variance, noise * variance, likelihood


def test_a_forecast_is_that_of_the_likeliest_process_on_the_grid():
    places, wanted = scattered(12, 0), scattered(5, 1)
    scores = landscape(places) + 0.02 * np.random.default_rng(2).standard_normal((12, 3))
    grid = [by_hand(places, scores, wanted, share * UNIT, noise) for share in LENGTHS for noise in NOISES]
    mean, variance, noise, _ = max(grid, key=lambda found: found[3])
    forecast = ScoreModel(places, scores, unit=UNIT).forecast(wanted)
    assert forecast.mean == pytest.approx(np.clip(mean, 0, 1))
    assert forecast.deviation**2 == pytest.approx(variance, abs=1e-9)
    assert forecast.found**2 == pytest.approx(variance + noise, abs=1e-9)


def test_scores_of_a_smooth_landscape_are_foreseen_and_intervals_hold_what_they_are_to_hold():
    places, wanted = scattered(40, 3), scattered(60, 4)
    forecast = ScoreModel(places, landscape(places), unit=UNIT).forecast(wanted)
    usual = np.full((60, 3), landscape(places).mean(axis=0))
    found = calibration(forecast.mean, forecast.found, landscape(wanted), usual)
    assert found.individuals == 60
    assert found.r2 > 0.95
    assert found.coverage > 0.7


def test_whoever_is_far_from_everyone_is_expected_to_be_as_they_are_on_the_whole():
    places = scattered(20, 5)
    model = ScoreModel(places, landscape(places), unit=UNIT)
    near, far = model.forecast([places[0]]), model.forecast([[90.0, 90.0], [-90.0, 50.0]])
    assert far.mean[0] == pytest.approx(far.mean[1])
    assert (near.deviation < 0.1 * far.deviation).all()


def test_those_in_flight_make_it_surer_and_change_no_mean():
    places = scattered(10, 6)
    model = ScoreModel(places, landscape(places), unit=UNIT)
    wanted = scattered(4, 7)
    alone, beside = model.forecast(wanted), model.forecast(wanted, in_flight=wanted[:1])
    assert (alone.mean == beside.mean).all()
    assert (beside.deviation[0] < 0.5 * alone.deviation[0]).all()
    assert (beside.deviation <= alone.deviation + 1e-12).all()
    assert (model.forecast(wanted, in_flight=np.empty((0, 2))).deviation == alone.deviation).all()


def test_many_are_learned_from_like_few():
    places = scattered(300, 8)
    model = ScoreModel(places, landscape(places), unit=UNIT)
    wanted = scattered(30, 9)
    assert np.abs(model.forecast(wanted).mean - landscape(wanted)).max() < 0.02


def test_niches_in_which_all_are_alike_are_foreseen_to_stay_so():
    places = scattered(6, 10)
    scores = np.column_stack([landscape(places)[:, 0], np.full(6, 0.25)])
    forecast = ScoreModel(places, scores, unit=UNIT).forecast(scattered(3, 11))
    assert forecast.mean[:, 1] == pytest.approx(0.25)
    assert forecast.found[:, 1] == pytest.approx(0.0, abs=1e-9)
    flat = ScoreModel(places, np.full((6, 2), 0.25)).forecast(places)
    assert flat.mean == pytest.approx(0.25)


@pytest.mark.parametrize(("places", "scores"), [(FEWEST - 1, FEWEST - 1), (6, 5)])
def test_too_few_and_unequal_many_are_refused(places, scores):
    with pytest.raises(EvolutionError, match="expected scores of at least 4 places, one row each"):
        ScoreModel(np.zeros((places, 2)), np.full((scores, 3), 0.5))


def test_squared_distances_are_those_of_the_differences():
    some, others = scattered(4, 12), scattered(3, 13)
    expected = [[((one - other) ** 2).sum() for other in others] for one in some]
    assert squared_distances(some, others) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.5])
def test_a_newcomers_fitness_is_that_among_all(alpha):
    rng = np.random.default_rng(14)
    alive, newcomers = rng.random((5, 7)), rng.random((9, 7))
    alive[:, 3] = newcomers[2:, 3] = 0.5  # nothing to win there, for most
    expected = [fitness(np.vstack([alive, one]), alpha=alpha)[-1] for one in newcomers]
    assert newcomer_fitness(alive, newcomers, alpha=alpha) == pytest.approx(np.array(expected))


def forecast(mean, deviation):
    return Forecast(np.array(mean), np.array(deviation), np.array(deviation))


def test_who_fills_a_gap_is_tried_before_who_is_as_good_where_all_are_good():
    alive = np.array([[0.9, 0.1], [0.8, 0.1], [0.9, 0.2]])
    both = forecast([[0.9, 0.2], [0.2, 0.9]], np.zeros((2, 2)))
    assert most_promising(alive, both) == 1
    assert most_promising(np.fliplr(alive), both) == 0


def test_of_two_that_are_expected_to_win_alike_the_less_known_is_tried_and_of_equals_the_first():
    alive = np.array([[0.5, 0.4], [0.4, 0.5]])
    assert most_promising(alive, forecast([[0.5, 0.5], [0.5, 0.5]], [[0.0, 0.0], [0.1, 0.1]])) == 1
    assert most_promising(alive, forecast(np.full((3, 2), 0.5), np.zeros((3, 2)))) == 0


def test_calibration_by_hand():
    mean, found, usual = [[0.2, 0.5], [0.4, 0.5]], [[0.2, 0.6], [0.6, 0.4]], [[0.2, 0.4], [0.4, 0.4]]
    spread = 0.1 / HALF_WIDTH * 1.01  # an interval of a tenth and a little to either side
    told = calibration(mean, np.full((2, 2), spread), found, usual)
    # squares missed: 0 + .01 + .04 + .01; from what is usual: 0 + .04 + .04 + 0
    assert told.r2 == pytest.approx(1 - 0.06 / 0.08)
    assert told.coverage == 0.75
    assert calibration([[0.3]], [[0.1]], [[0.3]], [[0.3]]).r2 is None


def fitted(seed=15, count=12):
    """A model of a landscape with noise, its places and scores, and the length and noise that it has chosen."""
    places = scattered(count, seed)
    scores = landscape(places) + 0.02 * np.random.default_rng(seed).standard_normal((count, 3))
    grid = [(share * UNIT, noise) for share in LENGTHS for noise in NOISES]
    chosen = max(grid, key=lambda one: by_hand(places, scores, places, *one)[3])
    return ScoreModel(places, scores, unit=UNIT), places, scores, chosen


def test_a_change_is_the_difference_of_two_forecasts_and_what_both_share_is_sure():
    model, places, scores, (length, noise) = fitted()
    before, after = 0.5 * scattered(4, 16), 0.5 * scattered(4, 17)
    averages = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    change = model.change(before, after, averages)
    difference = model.forecast(after).mean - model.forecast(before).mean
    assert change.mean == pytest.approx(difference @ averages.T)

    def kernel(some, others):
        return np.exp(-((some[:, np.newaxis] - others) ** 2).sum(axis=2) / (2 * length**2))

    inverse = np.linalg.inv(kernel(places, places) + noise * np.eye(len(places)))
    both = np.vstack([before, after])
    unknown = kernel(both, both) - kernel(both, places) @ inverse @ kernel(places, both)
    here, there = np.arange(4), np.arange(4, 8)
    share = unknown[here, here] + unknown[there, there] - 2 * unknown[here, there]
    ones = np.ones(len(places))
    averaged = scores @ averages.T
    rest = averaged - ones @ inverse @ averaged / (ones @ inverse @ ones)
    variance = np.einsum("in,ij,jn->n", rest, inverse, rest) / len(places)
    assert change.deviation**2 == pytest.approx(share[:, np.newaxis] * variance, abs=1e-9)
    assert model.change(before, before, averages).deviation == pytest.approx(0.0, abs=1e-9)


def test_the_slope_is_that_of_the_forecast():
    model, _, _, _ = fitted()
    wanted, step = 0.5 * scattered(5, 18), 1e-5
    for axis, along in enumerate(np.eye(2) * step):
        rise = (model.forecast(wanted + along).mean - model.forecast(wanted - along).mean).mean(axis=1) / (2 * step)
        assert model.slope(wanted)[:, axis] == pytest.approx(rise, abs=1e-6)


def test_whoever_is_left_out_is_expected_from_the_others():
    model, places, scores, (length, noise) = fitted()
    found = model.left_out()
    for row in range(len(places)):
        others = np.arange(len(places)) != row
        mean, _, _, _ = by_hand(places[others], scores[others], places[[row]], length, noise)
        assert found.mean[row] == pytest.approx(np.clip(mean[0], 0, 1))
    assert (found.found > found.deviation).all()
    spread = (found.mean - scores) / found.found
    assert 0.3 < np.sqrt((spread**2).mean()) < 2
