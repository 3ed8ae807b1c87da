"""When a newcomer is given up, by normal distributions worked out by hand, and how often that is wrong."""

import math

import numpy as np
import pytest

from studio.evolution.archive import Archive
from studio.evolution.errors import EvolutionError
from studio.evolution.foresight import FEWEST, ScoreModel
from studio.evolution.niches import fitness, newcomer_fitness, newcomer_leads
from studio.evolution.racing import OUTCOMES, Race, RaceProgress, Surprise

UNKNOWN = np.full(4, np.nan)
EXACT = Surprise()


def race(alive, mean, deviation, *, surprise=EXACT, least=0.05, audited=False):
    alive, niches = np.asarray(alive, dtype=np.float64), len(mean)
    return Race(
        ids=tuple(str(row) for row in range(len(alive))),
        alive=alive,
        alpha=1.0,
        mean=np.asarray(mean, dtype=np.float64),
        deviation=np.broadcast_to(np.asarray(deviation, dtype=np.float64), niches).copy(),
        surprise=surprise,
        least=least,
        audited=audited,
    )


def normal(z):
    """The share of a normal distribution below z deviations."""
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def test_leads_are_what_newcomers_win_over_each_alive():
    rng = np.random.default_rng(0)
    alive, newcomers = rng.random((5, 7)), rng.random((3, 7))
    leads = newcomer_leads(alive, newcomers, alpha=1.5)
    for newcomer, row in zip(newcomers, leads, strict=True):
        won = fitness(np.concatenate([alive, newcomer[np.newaxis]]), alpha=1.5)
        assert row == pytest.approx(won[-1] - won[:-1])
    assert newcomer_fitness(alive, newcomers, alpha=1.5) == pytest.approx(
        [fitness(np.concatenate([alive, one[np.newaxis]]), alpha=1.5)[-1] for one in newcomers]
    )


def test_the_chance_is_that_of_a_normal_score_to_beat_the_least_fit():
    """One niche: whoever scores more than the worst alive, 0.3, enters."""
    for mean, deviation in ((0.3, 0.1), (0.25, 0.1), (0.35, 0.05)):
        expected = normal((mean - 0.3) / deviation)
        found = race([[0.3], [0.6]], [mean], deviation).chance([np.nan])
        assert found == pytest.approx(expected, abs=4 * math.sqrt(0.25 / OUTCOMES))


def test_a_known_score_leaves_nothing_to_chance():
    assert race([[0.3], [0.6]], [0.5], 0.2).chance([0.29]) == 0.0
    assert race([[0.3], [0.6]], [0.1], 0.2).chance([0.31]) == 1.0


def test_a_model_that_errs_by_more_than_it_says_is_trusted_less():
    sure = race([[0.3], [0.6]], [0.2], 0.05).chance([np.nan])
    unsure = race([[0.3], [0.6]], [0.2], 0.05, surprise=Surprise(spread=2.0)).chance([np.nan])
    assert sure == pytest.approx(normal(-2.0), abs=0.03)
    assert unsure == pytest.approx(normal(-1.0), abs=0.06)


def test_who_has_disappointed_is_expected_to_disappoint_as_far_as_errors_are_alike():
    """Two of four niches are known, each a deviation below what was expected. With half of the errors' variance common
    the common part has the mean -(2 / 0.5) / (1 / 0.5 + 2 / 0.5) and the variance 1 / (1 / 0.5 + 2 / 0.5).
    """
    mean, deviation, known = np.full(4, 0.5), np.full(4, 0.1), np.array([0.4, 0.4, np.nan, np.nan])
    outlook = Surprise(alike=0.5).outlook(known, mean, deviation)
    assert outlook.mean == pytest.approx([0.4, 0.4, 0.5 - 0.1 * 2 / 3, 0.5 - 0.1 * 2 / 3])
    assert outlook.shared == pytest.approx([0, 0, 0.1 / math.sqrt(6), 0.1 / math.sqrt(6)])
    assert outlook.own == pytest.approx([0, 0, 0.1 / math.sqrt(2), 0.1 / math.sqrt(2)])
    apart = Surprise(alike=0.0).outlook(known, mean, deviation)
    assert apart.completed.tolist() == [0.4, 0.4, 0.5, 0.5]
    outcomes = outlook.outcomes(4000)
    assert (outcomes[:, :2] == 0.4).all()
    assert np.corrcoef(outcomes[:, 2], outcomes[:, 3])[0, 1] == pytest.approx(0.25, abs=0.05)  # 1/6 of 1/6 + 1/2
    assert outcomes[:, 2].std() == pytest.approx(0.1 * math.sqrt(2 / 3), abs=0.005)


def test_how_wrong_a_model_is_and_how_much_alike_is_found_again():
    rng = np.random.default_rng(1)
    errors = 1.5 * (math.sqrt(0.3) * rng.standard_normal((4000, 1)) + math.sqrt(0.7) * rng.standard_normal((4000, 20)))
    found = Surprise.of(errors)
    assert found.spread == pytest.approx(1.5, abs=0.05)
    assert found.alike == pytest.approx(0.3, abs=0.03)
    assert Surprise.of(0.5 * rng.standard_normal((4000, 20))).spread == 1.0
    assert Surprise.of(np.zeros((5, 0))) == Surprise.of(np.zeros((5, 3))) == Surprise()


def test_niches_that_can_change_most_are_asked_for_first():
    told = race(np.full((3, 4), 0.2) + np.arange(3)[:, np.newaxis] / 10, [0.3] * 4, [0.01, 0.04, 0.02, 0.03])
    assert told.most_telling(UNKNOWN, 2) == [1, 3]
    assert told.most_telling([np.nan, 0.5, np.nan, np.nan], 9) == [3, 2, 0]


def test_a_race_is_run_in_rounds_until_it_is_given_up():
    scores = np.full(4, 0.05)
    lost = RaceProgress(race([[0.3] * 4, [0.6] * 4], [0.32] * 4, 0.1), 2)
    known = UNKNOWN.copy()
    first = lost.next_round(known)
    assert len(first) == 2
    known[first] = scores[first]
    assert lost.next_round(known) == []
    assert (lost.end.drawn, lost.end.chance < 0.05) == (2, True)


def test_the_first_round_is_always_run_and_an_audit_runs_to_the_end():
    hopeless = race([[0.3] * 4, [0.6] * 4], [0.1] * 4, 0.001)
    assert RaceProgress(hopeless, 3).next_round(UNKNOWN) != []
    audit = RaceProgress(race([[0.3] * 4, [0.6] * 4], [0.1] * 4, 0.001, audited=True), 3)
    known, rounds = UNKNOWN.copy(), 0
    while places := audit.next_round(known):
        known[places], rounds = 0.1, rounds + 1
    assert (rounds, np.isnan(known).any(), audit.end.drawn) == (2, False, 3)
    won = RaceProgress(race([[0.3] * 4, [0.6] * 4], [0.9] * 4, 0.001), 3)
    known = UNKNOWN.copy()
    while places := won.next_round(known):
        known[places] = 0.9
    assert won.end is None


def landscape(places):
    x, y = np.asarray(places).T
    waves = [np.sin(3 * x + shift) * np.cos(2 * y - shift) for shift in np.linspace(0, 3, 12)]
    return 0.5 + 0.3 * np.stack(waves, axis=1)


def test_few_that_are_given_up_would_have_entered_and_many_pictures_are_spared():
    """Newcomers at random over a landscape that a model learns as it goes, each raced and then told in full."""
    rng = np.random.default_rng(2)
    places = rng.uniform(-1, 1, (160, 2))
    scores = np.clip(landscape(places) + 0.02 * rng.standard_normal((160, 12)), 0, 1)
    archive, given_up, missed, spared = Archive(10), 0, 0, 0
    for number, (place, row) in enumerate(zip(places, scores, strict=True)):
        if archive.is_full:
            model = ScoreModel(places[:number], scores[:number], unit=0.5)
            forecast = model.forecast([place])
            progress = RaceProgress(
                Race(
                    ids=archive.ids,
                    alive=archive.scores,
                    alpha=1.0,
                    mean=forecast.mean[0],
                    deviation=forecast.found[0],
                    surprise=model.surprise,
                    least=0.05,
                ),
                3,
            )
            known = np.full(12, np.nan)
            while wanted := progress.next_round(known):
                known[wanted] = row[wanted]
            given_up, spared = given_up + (progress.end is not None), spared + int(np.isnan(known).sum())
            entered = archive.insert(str(number), row).entered
            missed += progress.end is not None and entered
        else:
            archive.insert(str(number), row)
    assert given_up > 60
    assert missed <= 0.05 * given_up
    assert spared > 0.3 * 12 * 150


def test_a_model_learns_from_those_that_were_given_up():
    """Where all but a few scores of some are missing, what they have says what the others there are to expect."""
    rng = np.random.default_rng(3)
    places = rng.uniform(-1, 1, (60, 2))
    scores, wanted = landscape(places), rng.uniform(-1, 1, (40, 2))
    partly = scores.copy()
    partly[20:, 3:] = np.nan
    few, more = ScoreModel(places[:20], scores[:20], unit=0.5), ScoreModel(places, partly, unit=0.5)
    truth = landscape(wanted)

    def missed(model):
        return ((model.forecast(wanted).mean - truth)[:, :3] ** 2).mean()

    assert missed(more) < 0.5 * missed(few)
    assert more.surprise == few.surprise
    assert (more.forecast(wanted).deviation <= few.forecast(wanted).deviation * 1.5).all()


def test_a_model_takes_no_fewer_whole_rows_than_ever():
    rows = np.full((FEWEST, 2), 0.5)
    rows[0, 0] = np.nan
    with pytest.raises(EvolutionError, match=f"at least {FEWEST} places"):
        ScoreModel(np.eye(FEWEST), rows)
