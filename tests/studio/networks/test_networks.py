"""Runs over any network with a person's own scores: an optimum known by hand, failures, resuming, the commands."""

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from pipelines.errors import M2N2Error
from studio.errors import ConfigError, RunError
from studio.execution import control
from studio.networks.config import load
from studio.networks.task import carry_out, create, open_any
from studio.networks.user_scorer import Scorer, ScorerError
from studio.runs.store import open_run
from tests.conftest import stop_after
from tests.networks import network

# `left` has the first tensor right and `right` the second: an item per element, 1 where it is 1. Both are at 0.5, and
# so is their average; the first of `left` with the second of `right` is at 1.
SCORER = """
import helper

def score(weights):
    return [helper.near(value) for name in ("first", "second") for value in weights[name].tolist()]

def unseen(weights):
    return [helper.near(weights["first"].mean().item()), helper.near(weights["second"].mean().item())]

def mixed(weights):
    return weights["first"].mean() > 0.4 and weights["second"].mean() > 0.4

def raises(weights):
    if mixed(weights):
        raise ValueError("too mixed\\nfor me")
    return score(weights)

def nan(weights):
    return [float("nan") if mixed(weights) else one for one in score(weights)]

def fickle(weights):
    return score(weights)[: 3 if mixed(weights) else None]

def broken(weights):
    return weights["third"]
"""
HELPER = "def near(value):\n    return 1 - min(1, abs(value - 1))\n"


@pytest.fixture
def run_file(tmp_path):
    """Gives a run file over the two networks, with changes."""
    ones, zeros, steps = torch.ones(8), torch.zeros(8), torch.tensor([3])
    network(tmp_path / "left", {"first": ones, "second": zeros, "steps": steps})
    network(tmp_path / "right", {"first": zeros, "second": ones, "steps": steps + 1})
    (tmp_path / "score.py").write_text(SCORER)
    (tmp_path / "helper.py").write_text(HELPER)

    def written(**changes):
        content = {
            "kind": "any",
            "sources": ["left", "right"],
            "chromosomes": {"one": ["first"], "two": ["second"]},
            "scorer": "score.py:score",
            "evaluations": 40,
            "archive": 8,
            "seed": 5,
            **changes,
        }
        path = tmp_path / "asked.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return written


def archive_of(store):
    """Everything about a run that must not depend on how often it was interrupted, to the last bit."""
    everyone = [
        (one.id, one.mother, one.father, one.recipe.to_json(), one.entered, one.alive, one.error, _bytes(one.scores))
        for one in store.individuals()
    ]
    return everyone, [getattr(store.state, key) for key in ("search", "results", "comparisons", "status")]


def _bytes(scores):
    return {kind: values.tobytes() for kind, values in scores.items()}


def test_evolution_finds_what_neither_parent_nor_their_average_has(run_file, tmp_path):
    store = create(tmp_path / "run", load(run_file(reporter="score.py:unseen", evaluations=120)))
    carry_out(store)
    everyone = {one.id: one for one in store.individuals()}
    assert everyone["left"].scores["score"][:, 0].tolist() == [1.0] * 8 + [0.0] * 8
    found = store.state.results
    assert {name: found[name]["mean"] for name in ("left", "right", "average")} == pytest.approx(
        {"left": 0.5, "right": 0.5, "average": 0.5}
    )
    best = everyone[store.state.child]
    assert best.mean("score") > 0.8
    assert found["child"]["mean"] > 0.8
    assert store.state.comparisons["average"]["mean"] == pytest.approx(found["child"]["mean"] - 0.5)
    assert store.state.status == "done"


def test_equal_parents_and_seeds_give_equal_runs(run_file, tmp_path):
    config = load(run_file())
    stores = [create(tmp_path / name, config) for name in ("a", "b")]
    for store in stores:
        carry_out(store)
    assert archive_of(stores[0]) == archive_of(stores[1])


def test_a_killed_and_a_stopped_run_end_as_if_nothing_had_happened(run_file, tmp_path):
    class Killed(BaseException):
        pass

    def kill(store):
        if store.count() == 7:
            raise Killed

    config = load(run_file(reporter="score.py:unseen"))
    whole, cut = create(tmp_path / "whole", config), create(tmp_path / "cut", config)
    carry_out(whole)
    with pytest.raises(Killed):
        carry_out(cut, kill)
    assert cut.state.status == "failed"
    cut.close()
    carry_out(open_any(tmp_path / "cut"), stop_after(20))
    cut = open_any(tmp_path / "cut")
    assert (cut.state.status, cut.count()) == ("stopped", 20)
    carry_out(cut)
    assert archive_of(cut) == archive_of(whole)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("raises", "score.py:raises failed: ValueError: too mixed for me (score.py, line 15)"),
        ("nan", "score.py:nan: expected scores in 0..1, found nan"),
        ("fickle", "score.py:fickle gave 3 scores. Expected 16, as before."),
    ],
)
def test_what_goes_wrong_in_a_scorer_is_recorded_and_never_a_score(run_file, tmp_path, function, expected):
    store = create(tmp_path / "run", load(run_file(scorer=f"score.py:{function}")))
    carry_out(store)
    failed = [one for one in store.individuals() if one.error]
    assert 0 < len(failed) < store.count() == 40
    assert all(one.error.startswith(expected) for one in failed)
    assert not any(one.scores or one.alive or one.entered for one in failed)
    assert store.state.status == "done"


def test_a_source_that_cannot_be_scored_stops_the_run_until_the_scorer_is_mended(run_file, tmp_path):
    store = create(tmp_path / "run", load(run_file(scorer="score.py:broken", evaluations=1)))
    with pytest.raises(RunError, match="Source left cannot be scored: score.py:broken failed: KeyError: 'third'"):
        carry_out(store)
    assert store.state.status == "failed"
    (tmp_path / "score.py").write_text(SCORER.replace('weights["third"]', "score(weights)"))
    carry_out(store)
    assert store.state.status == "done"


def test_a_run_is_not_resumed_with_another_scorer_or_other_sources(run_file, tmp_path):
    store = create(tmp_path / "run", load(run_file(evaluations=2)))
    carry_out(store)
    (tmp_path / "score.py").write_text(SCORER + "# changed")
    with pytest.raises(RunError, match=r"The scorer .*score.py:score is another one: it was sha256 \w{12}, now"):
        carry_out(store)
    (tmp_path / "score.py").write_text(SCORER)
    changed = {"first": torch.zeros(8), "second": 2 * torch.ones(8), "steps": torch.tensor([4])}
    save_file(changed, tmp_path / "right" / "model.safetensors")
    with pytest.raises(M2N2Error, match=r"The weights of right \(model\) are others"):
        carry_out(store)


def test_a_frozen_chromosome_stays_one_sources(run_file, tmp_path):
    store = create(tmp_path / "run", load(run_file(frozen={"two": "right"}, evaluations=6)))
    carry_out(store)
    for one in store.individuals():
        assert [segment.weights for segment in one.recipe.chromosomes["two"].segments] == [(0.0, 1.0)]
        assert one.recipe.lineage is None or set(one.recipe.lineage.splits) == {"one"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"archive": 1}, "archive: "),
        ({"frozen": {"three": "left"}}, "frozen names 'three'; expected one of one, two, rest"),
        ({"scorer": "score.py"}, "scorer: String should match pattern"),
        ({"reporter": "score.py:score"}, "scorer and reporter are the same"),
        ({"scorer": "none.py:score"}, "none.py cannot be read"),
        ({"host": "nobody"}, "'nobody' is not among the sources left, right"),
        ({"chromosomes": {"one": ["fisrt"]}}, "Pattern 'fisrt' of chromosome 'one' takes no tensor"),
        ({"breeding": {"merges": True, "task_arithmetic": "nobody"}}, "'nobody' is not among the sources left, right"),
        ({"sources": ["left", "elsewhere"]}, "elsewhere: expected a safetensors file, found nothing there"),
    ],
)
def test_a_run_that_cannot_work_leaves_no_folder(run_file, tmp_path, changes, expected):
    with pytest.raises(M2N2Error, match=expected):
        create(tmp_path / "run", load(run_file(**changes)))
    assert not (tmp_path / "run").exists()


def test_nothing_to_breed_is_refused(run_file, tmp_path):
    store = create(tmp_path / "run", load(run_file(frozen={"one": "left", "two": "right"})))
    with pytest.raises(ConfigError, match="Every chromosome is frozen"):
        carry_out(store)


@pytest.mark.parametrize(
    ("text", "function", "expected"),
    [
        ("x = 1", "score", "has no function 'score'"),
        ("x = (", "score", r"fails when it is imported: SyntaxError: '\(' was never closed .*\(own.py, line 1\)"),
        ("\nimport nothing_of_this_name", "score", r"ModuleNotFoundError: .* \(own.py, line 2\)"),
    ],
)
def test_a_scorers_file_that_does_not_work_is_refused_with_the_place(tmp_path, text, function, expected):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(ConfigError, match=expected):
        Scorer(f"{tmp_path / 'own.py'}:{function}")


def test_a_scorer_may_give_tensors_and_truths(tmp_path):
    (tmp_path / "own.py").write_text("def score(weights):\n    return weights > 1\n")
    assert Scorer(f"{tmp_path / 'own.py'}:score")(torch.tensor([1.0, 2.0])).tolist() == [0.0, 1.0]
    (tmp_path / "own.py").write_text("def score(weights):\n    return 0.5\n")
    with pytest.raises(ScorerError, match="expected scores of shape"):
        Scorer(f"{tmp_path / 'own.py'}:score")(torch.ones(1))


def test_a_run_ended_early_and_given_more_equals_the_one_that_had_it_at_once(run_file, tmp_path):
    config = load(run_file(reporter="score.py:unseen", evaluations=20))
    whole, cut = create(tmp_path / "whole", config), create(tmp_path / "cut", config)
    carry_out(whole)
    carry_out(cut, lambda store: control.finish(store) if store.count() == 6 else None)
    assert (cut.state.status, cut.count()) == ("done", 6)
    assert cut.state.results["child"]["mean"] > 0
    with pytest.raises(RunError, match=r"has made 6 offspring\. Expected a budget of at least as many, found 5"):
        control.extend(cut, 5)
    control.extend(cut, 20)
    for key in ("results", "comparisons", "child", "items", "failed_rows"):  # those were of another child
        assert getattr(cut.state, key) is None
    carry_out(open_any(cut.folder))
    assert archive_of(cut) == archive_of(whole)


def test_options_survive_a_stop(run_file, tmp_path):
    """Those that pictures have, too: merges made by hand first, a warm-up, splits where they paid."""
    breeding = {"merges": True, "warm_up": 4, "guided": True, "split_points": 2, "beta": 2.0, "compatibility": 1.0}
    config = load(run_file(breeding=breeding, angle="tensor", evaluations=30))
    whole, cut = create(tmp_path / "whole", config), create(tmp_path / "cut", config)
    carry_out(whole)
    for stop in (1, 2, 11):
        carry_out(cut, stop_after(stop))
        assert (cut.state.status, cut.count()) == ("stopped", stop)
        cut.close()
        cut = open_any(tmp_path / "cut")
    carry_out(cut)
    assert archive_of(cut) == archive_of(whole)
    first, *others = (one for one in whole.individuals() if not one.is_source)
    assert [segment.weights for segment in first.recipe.chromosomes["one"].segments] == [(0.5, 0.5)]
    assert {(one.mother, one.father) for one in others[:3]} <= {("left", "right"), ("right", "left")}
    assert len(others[-1].recipe.lineage.splits["one"]) == 2


def test_one_split_through_the_whole_of_a_network(run_file, tmp_path):
    store = create(tmp_path / "run", load(run_file(breeding={"together": True}, evaluations=20)))
    carry_out(store)
    children = [one.recipe.lineage for one in store.individuals() if not one.is_source]
    assert all(set(lineage.splits) == {"one", "two"} for lineage in children)
    # the second follows the first: whatever is split within it comes after the whole of the first
    assert all(lineage.splits["two"] == 0 or lineage.splits["one"] == 8 for lineage in children)


def test_a_fork_begins_with_the_archive_of_its_run(run_file, tmp_path):
    former = create(tmp_path / "former", load(run_file(evaluations=6)))
    carry_out(former)
    alive = [one for one in former.individuals() if one.alive and not one.is_source]
    changes = {"start": str(tmp_path / "former"), "evaluations": len(alive) + 1, "seed": 9}
    store = create(tmp_path / "fork", load(tmp_path / "former" / "run.yaml", changes))
    carry_out(store)
    first = store.individuals()[2:-1]
    assert [one.recipe.chromosomes for one in first] == [one.recipe.chromosomes for one in alive]
    assert [_bytes(one.scores) for one in first] == [_bytes(one.scores) for one in alive]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="has nobody to start from"):
        create(tmp_path / "none", load(run_file(start="empty")))
    assert not (tmp_path / "none").exists()


def test_scores_of_another_count_fail_after_a_stop_as_before_it(run_file, tmp_path):
    config = load(run_file(scorer="score.py:fickle"))
    whole, cut = create(tmp_path / "whole", config), create(tmp_path / "cut", config)
    carry_out(whole)
    for count in range(1, 40):
        carry_out(cut, stop_after(count))
    carry_out(cut)
    assert archive_of(cut) == archive_of(whole)


def test_the_commands(run_file, tmp_path, m2n2):
    run, asked = tmp_path / "run", run_file(reporter="score.py:unseen")
    done, found = m2n2("evolve", asked, "--out", run, "--evaluations", 6, "--json", json_output=True)
    assert done.returncode == 0, done.stderr
    assert (found["status"], found["done"], len(found["individuals"])) == ("done", 6, 8)
    shown = m2n2("show", run)
    assert f"run {run}: done, 6 of 6 offspring" in shown.stdout
    assert f"child ({found['child']})" in shown.stdout
    resumed = m2n2("evolve", "--resume", "--out", run)
    assert resumed.returncode == 0, resumed.stderr
    more, found = m2n2("evolve", "--resume", "--out", run, "--evaluations", 9, "--json", json_output=True)
    assert more.returncode == 0, more.stderr
    assert (found["status"], found["done"], found["of"]) == ("done", 9, 9)
    assert found["results"]["child"]["mean"] > 0
    fewer = m2n2("evolve", "--resume", "--out", run, "--evaluations", 8)
    assert fewer.returncode == 1
    assert "has made 9 offspring" in fewer.stderr
    fork = tmp_path / "fork"
    forked, begun = m2n2(
        "evolve",
        "--fork",
        run,
        "--out",
        fork,
        "--evaluations",
        2,
        "--set",
        "breeding.step=0.5",
        "--json",
        json_output=True,
    )
    assert forked.returncode == 0, forked.stderr
    assert begun["done"] == 2
    assert open_any(fork).config.breeding.step == 0.5

    exported = m2n2("export", run, found["child"], "--out", tmp_path / "child")
    assert exported.stdout.strip() == str(tmp_path / "child")
    child = next(one for one in found["individuals"] if one["id"] == found["child"])
    woven = load_file(tmp_path / "child" / "model.safetensors")
    assert woven["steps"].tolist() == [3]
    share = child["shares"]["one"]["left"]  # of ones, with zeros for the others
    assert woven["first"].mean().item() == pytest.approx(share, abs=1e-6)
    assert (tmp_path / "child" / "config.json").is_file()

    merged = m2n2("merge", tmp_path / "child" / "recipe.json", "--out", tmp_path / "again", "--json", json_output=True)
    assert torch.equal(load_file(tmp_path / "again" / "model.safetensors")["first"], woven["first"])
    assert set(merged[1]) == {"path", "model"}


def test_what_only_pictures_have_is_refused(run_file, tmp_path, m2n2):
    config = load(run_file(evaluations=0))
    store = create(tmp_path / "run", config)
    carry_out(store)
    with pytest.raises(RunError, match="breeds networks that draw no pictures"):
        open_run(tmp_path / "run")
    for arguments in (
        ("evolve", run_file()),
        ("evolve", run_file(), "--out", tmp_path / "new", "--preflight"),
        ("evolve", run_file(), "--out", tmp_path / "new", "--pictures", "draft"),
        ("evolve", "--resume", "--out", tmp_path / "run", "--seed", 1),
        ("export", tmp_path / "run", "left", "--out", tmp_path / "x.safetensors"),
        ("export", tmp_path / "run", "left", "--out", tmp_path / "x", "--dtype", "fp16"),
    ):
        assert m2n2(*arguments).returncode == 2, arguments
    refused = m2n2("show", tmp_path / "left")
    assert refused.returncode == 1
