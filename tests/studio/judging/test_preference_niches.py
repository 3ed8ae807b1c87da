"""Votes that steer a run: learned once, scored like captions, the same bits after a stop."""

import numpy as np
import pytest

from eval.preferences.preference_model import PreferenceWeights
from eval.scorers.clip import ClipScorer
from studio.analysis.replay import archive_history
from studio.errors import ConfigError, RunError
from studio.evolution.niches import entropy
from studio.execution import control
from studio.execution.creation import create_run
from studio.judging.preference_niches import PreferenceModel, learn_preferences, preference_scores
from studio.judging.votes import VOTES_FILE, read_votes, votes_for
from studio.runs.config import checked
from studio.runs.config_file import load_config
from studio.runs.store import open_run
from studio.runs.summary import run_json
from tests.conftest import stop_with, without_report
from tests.voters import vote_for_bright_pictures


@pytest.fixture(scope="module")
def judge(small_config):
    return ClipScorer(small_config.scorer)


@pytest.fixture
def voted(ballot):
    """A run that two people voted on: Aya on everything, Ken too little for a niche of his own."""
    vote_for_bright_pictures(ballot, "Aya", 30)
    vote_for_bright_pictures(ballot, "Ken", 5, reads="en", seed=1)
    return ballot


def steered(small_config, voted, **changes):
    return small_config.model_copy(update={"votes": str(voted), "evaluations": 3, **changes})


def test_a_taste_is_learned_from_the_pictures_and_kept_to_the_last_bit(voted, judge):
    learned = learn_preferences(*votes_for(voted), judge)
    assert [(one.rater, one.votes, one.foreseen.of) for one in learned] == [("Aya", 30, 30)]
    again = PreferenceModel.from_json(learned[0].to_json())
    assert again.taste.weights.tobytes() == learned[0].taste.weights.tobytes()
    assert again.taste.centre.tobytes() == learned[0].taste.centre.tobytes()
    assert (again.votes, again.foreseen) == (learned[0].votes, learned[0].foreseen)


def test_votes_without_their_pictures_teach_nothing(voted, judge):
    folder, votes = votes_for(voted)
    for file in (folder / "images" / "ja").iterdir():
        file.unlink()
    with pytest.raises(RunError, match=r"those of \d+ decided votes are left. Expected 20"):
        learn_preferences(folder, votes, judge)


def test_each_rater_likes_each_prompt_apart():
    rng = np.random.default_rng(0)
    ja, en = (rng.normal(size=(6, 3)).astype(np.float32) for _ in range(2))  # three prompts, two noises
    raters = [
        PreferenceModel(who, PreferenceWeights(np.array(w), np.zeros(3)), 30, None)
        for who, w in (("Aya", [1, 2, 0]), ("Ren", [0, 0, 1]))
    ]
    found = preference_scores(raters, [ja, en], 2)
    assert found.shape == (2 * 3, 2)
    second = [1 / (1 + np.exp(-(f[0] + 2.0 * f[1]))) for f in (ja[3].astype(float), en[3].astype(float))]
    assert found[1, 1] == pytest.approx(np.mean(second))  # Aya, the second prompt, its second noise
    assert found[3, 0] == pytest.approx(np.mean([1 / (1 + np.exp(-float(of[0, 2]))) for of in (ja, en)]))


@pytest.mark.slow
def test_votes_compete_as_niches_and_later_ones_change_nothing(small_config, voted, tmp_path):
    whole = create_run(tmp_path / "whole", steered(small_config, voted))
    control.carry_out(whole, without_report)
    for one in whole.individuals():
        assert one.scores["votes"].shape == (5, 1)
        assert 0 < one.mean("votes") < 1
    likings = [one.mean("votes") for one in whole.individuals()]
    assert max(likings) - min(likings) > 0.01
    assert "votes" in run_json(whole)["individuals"][0]["scores"]
    alive = [one for one in whole.individuals() if one.alive]
    table = np.stack([np.concatenate([one.scores[kind].mean(axis=1) for kind in ("ja", "votes")]) for one in alive])
    assert archive_history(whole.individuals(), whole.config)[-1].entropy == entropy(table)

    halted = create_run(tmp_path / "halted", steered(small_config, voted))
    control.carry_out(halted, stop_with(5))
    assert len(halted.individuals()) == 5
    tastes = halted.state.tastes
    vote_for_bright_pictures(voted, "Ren", 30, seed=5)
    (voted / "images").rename(voted / "elsewhere")
    halted.close()
    resumed = open_run(tmp_path / "halted")
    control.carry_out(resumed, without_report)
    assert resumed.state.tastes == tastes == whole.state.tastes
    assert resumed.state.search == whole.state.search
    for one, other in zip(resumed.individuals(), whole.individuals(), strict=True):
        assert one.recipe == other.recipe
        assert {kind: values.tobytes() for kind, values in one.scores.items()} == {
            kind: values.tobytes() for kind, values in other.scores.items()
        }


@pytest.mark.slow
def test_with_two_languages_and_new_noise_votes_are_scored_too(small_config, voted, tmp_path):
    config = steered(small_config, voted, compete=("ja", "en"), noises=2, noise_rotation=1, evaluations=1)
    store = create_run(tmp_path / "run", config)
    control.carry_out(store, without_report)
    assert all(one.scores["votes"].shape == (5, 2) for one in store.individuals())


def test_too_few_votes_are_refused_before_a_run_is_made(small_config, ballot, tmp_path):
    vote_for_bright_pictures(ballot, "Aya", 4)
    with pytest.raises(RunError, match="16 more are decided"):
        create_run(tmp_path / "run", steered(small_config, ballot))
    assert not (tmp_path / "run").exists()


def test_the_option_reads_like_the_others(small_config, voted, tmp_path):
    create_run(tmp_path / "made", steered(small_config, voted / VOTES_FILE)).close()
    assert load_config(tmp_path / "made" / "run.yaml").votes == str(voted / VOTES_FILE)
    fields = small_config.model_dump()
    with pytest.raises(ConfigError, match="early_rejection leaves pictures undrawn"):
        checked({**fields, "votes": str(voted), "early_rejection": True})
    assert len(read_votes(voted)) == 35
