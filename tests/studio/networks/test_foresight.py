"""A run that looks ahead, over any network: killed anywhere it ends as the uninterrupted one; it says how it did."""

import json

import pytest
import torch
import yaml

from studio.networks.config import load
from studio.networks.task import carry_out, create, open_any
from tests.networks import network

SCORER = """
def score(weights):
    near = lambda value: 1 - min(1, abs(value - 0.6))
    return [near(value) for name in ("first", "second") for value in weights[name].tolist()]
"""


@pytest.fixture
def config(tmp_path):
    for name, first in (("left", 1.0), ("right", 0.0)):
        network(tmp_path / name, {"first": torch.full((8,), first), "second": torch.full((8,), 1 - first)})
    (tmp_path / "score.py").write_text(SCORER)
    asked = {
        "kind": "any",
        "sources": ["left", "right"],
        "chromosomes": {"one": ["first"], "two": ["second"]},
        "scorer": "score.py:score",
        "evaluations": 24,
        "archive": 6,
        "breeding": {"foresight": 0.75, "merges": True},
    }
    (tmp_path / "asked.yaml").write_text(yaml.safe_dump(asked))
    return load(tmp_path / "asked.yaml")


def told(store):
    """Everything about a run, to the last bit."""
    return [
        (
            one.recipe.to_json(),
            one.mother,
            one.father,
            one.entered,
            one.alive,
            one.scores["score"].tobytes(),
            one.prediction and (one.prediction.mean.tobytes(), one.prediction.deviation.tobytes()),
        )
        for one in store.individuals()
    ], store.state.search


class Killed(BaseException):
    pass


def test_killed_anywhere_it_ends_as_the_uninterrupted_one(config, tmp_path, m2n2):
    whole, cut = create(tmp_path / "whole", config), create(tmp_path / "cut", config)
    carry_out(whole)
    for made in (1, 4, 5, 11, 12, 20):

        def kill(store, made=made):
            if store.count() == made:
                raise Killed

        with pytest.raises(Killed):
            carry_out(cut, kill)
        cut.close()
        cut = open_any(tmp_path / "cut")
    carry_out(cut)
    assert told(cut) == told(whole)
    foreseen = [one.prediction is not None for one in whole.individuals()]
    assert foreseen == [False] * 4 + [True] * 22  # two sources, their mean, a child: then four are known

    shown = json.loads(m2n2("show", str(tmp_path / "whole"), "--json").stdout)["foresight"]
    assert shown["individuals"] == 22
    assert 0 < shown["r2"] < 1
    said = m2n2("show", str(tmp_path / "whole")).stdout
    assert f"foresight: 22 offspring, R² {shown['r2']:.2f}, {shown['coverage']:.0%} of their scores within" in said
