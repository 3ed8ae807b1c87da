"""The digits benchmark: its network, its crossover and its figures by hand, its methods on a few evaluations."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.digits.methods import METHODS, Genome, breeding, cross
from benchmarks.digits.report import PUBLISHED, Summary, band, report
from benchmarks.digits.run import Job, carry_out, run
from benchmarks.digits.task import SIZE, SPREAD, _threefry, digits, new_weights, specialists
from pipelines.recipes.crossover import slerp_coefficients


def genome(*weights):
    return Genome(np.array(weights, dtype=np.float32))


def test_the_pictures_are_the_papers_and_the_network_has_its_19210_weights():
    train, test = digits()
    assert (len(train), len(test)) == (1437, 360)
    assert train.pixels[:, :-1].min() == 0
    assert train.pixels[:, :-1].max() == 16
    assert SIZE == 64 * 256 + 256 + 256 * 10 + 10 == 19210


def test_a_network_that_always_says_three_solves_the_threes():
    train, _ = digits()
    weights = np.zeros(SIZE, np.float32)
    weights[-10 + 3] = 1  # b2
    assert (train.solved(weights) == (train.labels == 3)).all()


def test_the_forward_pass_is_that_of_two_linear_layers_with_a_relu():
    _, test = digits()
    weights = new_weights(np.random.default_rng(1))
    w1, b1, w2, b2 = torch.split(torch.from_numpy(weights), [64 * 256, 256, 256 * 10, 10])
    hidden = torch.relu(test.pixels[:, :-1] @ w1.reshape(64, 256) + b1)
    answers = (hidden @ w2.reshape(256, 10) + b2).argmax(1).numpy()
    assert (test.solved(weights) == (answers == test.labels)).all()


def test_specialists_know_their_own_half_of_the_digits_and_never_answer_with_the_other():
    train, _ = digits()
    low = train.labels < 5
    for weights, own in zip(specialists(), (low, ~low), strict=True):
        assert weights.shape == (19210,)
        assert weights.dtype == np.float32
        solved = train.solved(weights)
        assert solved[own].mean() > 0.5
        assert not solved[~own].any()


def test_threefry_gives_the_published_answers():  # Random123, known answers of threefry2x32 with 20 rounds
    answers = {
        (0x00000000, 0x00000000, 0x00000000, 0x00000000): (0x6B200159, 0x99BA4EFE),
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF): (0x1CB996FC, 0xBB002BE7),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344): (0xC4923A9C, 0x483DF7A0),
    }
    for numbers, answer in answers.items():
        counters, key = np.split(np.array(numbers, np.uint32), 2)
        assert tuple(_threefry(key, counters)) == answer


def test_crossover_of_right_angles_by_hand():
    child = cross(genome(2, 0, 2, 0), genome(0, 4, 0, 4), split_point=2, ratio=1 / 3)
    # sin 60° of the mother and sin 30° of the father before the split point, the other way round after it
    assert child.weights == pytest.approx([2 * math.sqrt(0.75), 2, 1, 4 * math.sqrt(0.75)])


def test_crossover_is_slerp_with_one_angle_of_the_whole_vectors():
    rng = np.random.default_rng(2)
    mother, father = (rng.standard_normal(7) for _ in range(2))
    cosine = mother @ father / np.linalg.norm(mother) / np.linalg.norm(father)
    child = cross(genome(*mother), genome(*father), split_point=3, ratio=0.2)
    (a, b), (c, d) = slerp_coefficients(0.2, cosine), slerp_coefficients(0.8, cosine)
    expected = [*(a * mother + b * father)[:3], *(c * mother + d * father)[3:]]
    assert child.weights == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_crossover_with_a_vector_of_zeros_is_linear():
    assert cross(genome(0, 0), genome(4, 8), split_point=1, ratio=0.25).weights == pytest.approx([1, 6])


def test_without_a_split_point_one_ratio_holds_throughout():
    breed = breeding(mutation=False, split=False)
    child = breed(genome(1, 1, 1, 1), genome(2, 2, 2, 2), np.random.default_rng(3)).weights
    assert (child == child[0]).all()
    assert 1 < child[0] < 2


def test_without_mating_a_child_is_its_mother_and_noise():
    mother, father = Genome(np.zeros(SIZE, np.float32)), Genome(np.full(SIZE, 9, np.float32))
    child = breeding(mutation=True, mating=False)(mother, father, np.random.default_rng(4)).weights
    assert child.dtype == np.float32
    assert child.mean() == pytest.approx(0, abs=5 * SPREAD / math.sqrt(SIZE))
    assert child.std() == pytest.approx(SPREAD, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_tells_all_of_a_run(method):
    setting = "scratch" if method in PUBLISHED["scratch"] else "pretrained"
    first, again = (run(Job(setting, method, 42), evaluations=40, points=2) for _ in range(2))
    assert first["curve"] == again["curve"]
    assert first["curve"]["evaluations"] == [0, 20, 40]
    assert all(0 <= share <= 1 for name in ("test", "train", "coverage", "entropy") for share in first["curve"][name])


def test_specialists_get_better_together_without_mutation():
    train = run(Job("pretrained", "m2n2", 42), evaluations=100, points=1)["curve"]["train"]
    assert train[1] > train[0]


@pytest.mark.parametrize(("method", "alone"), [("no-attraction", 0), ("replacement", 1)])
def test_a_network_mates_with_itself_only_where_parents_are_drawn_with_replacement(method, alone):
    train, _ = digits()
    founders = list(specialists())
    search = METHODS[method](train, founders, np.random.default_rng(5), False)
    for _ in range(18):  # 20 individuals with the founders: nobody has left yet
        search.step()
    solved = search.solved()
    copies = [any((row == founder).all() for founder in solved[:2]) for row in solved[2:]]
    assert (sum(copies) > 0) == alone


def test_band_by_hand():
    mean, half = band([1.0, 2.0, 3.0])
    assert mean == 2
    assert half == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)  # Student's t for 2 degrees of freedom, 97.5 %
    assert band([[1.0, 5.0]])[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("published", "within"),
    [(70.0, "yes"), (72.4, "yes"), (72.6, "no, -2.6"), (67.6, "yes"), (67.4, "no, +2.6"), (None, "")],
)
def test_a_published_figure_is_within_the_band_and_half_a_point_of_reading(published, within):
    summary = Summary("scratch", "m2n2", 10, (70.0, 2.0), (99.0, 0.1), (0.4, 0.01), published)
    assert summary.within == within
    assert replace(summary, runs=4).within == ("too few runs" if published else "")
    assert replace(summary, runs=4).row()[3] == "70.0"


def test_the_report_is_a_page_and_a_figure(tmp_path, capsys):
    for seed in (42, 43):
        job = Job("pretrained", "m2n2", seed)
        path = job.path(tmp_path)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(run(job, evaluations=10, points=2)))
    report(tmp_path)
    assert "M2N2" in capsys.readouterr().out
    row = next(line for line in (tmp_path / "digits.md").read_text().splitlines() if "| M2N2 |" in line)
    assert row.startswith("| pre-trained | M2N2 | 2 | ")
    assert "| 68.3 |" in row
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_is_there_is_not_repeated(tmp_path, capsys):
    job = Job("scratch", "m2n2", 42)
    job.path(tmp_path).parent.mkdir()
    job.path(tmp_path).write_text("{}")
    carry_out([job], workers=1, folder=tmp_path)
    assert job.path(tmp_path).read_text() == "{}"
    assert not capsys.readouterr().err
