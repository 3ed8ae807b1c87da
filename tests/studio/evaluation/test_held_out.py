"""The held-out comparison, on numbers that fit on paper, and on the embedded family."""

import numpy as np
import pytest

import assets
from studio.evaluation.held_out import comparisons
from studio.execution import control
from studio.execution.creation import create_run

CATEGORIES = ["food", "food", "animals", "animals"]


def row(*ja):
    return {kind: np.array(ja, dtype=float) for kind in ("ja", "en", "consistency")}


def test_by_hand():
    rows = {
        "a": row(0.8, 0.8, 0.2, 0.2),  # mean 0.5, best at food
        "b": row(0.2, 0.2, 0.6, 0.6),  # mean 0.4, best at animals
        "average": row(0.5, 0.5, 0.4, 0.4),
        "child": row(0.8, 0.8, 0.4, 0.4),  # mean 0.6
    }
    found = comparisons(rows, ["a", "b"], CATEGORIES)
    assert found["best_source"] == "a"
    assert found["category_owners"] == {"animals": "b", "food": "a"}
    assert found["per_category_best"] == pytest.approx(0.7)
    assert found["gap_closed"] == pytest.approx(0.5)  # (0.6 - 0.5) / (0.7 - 0.5)
    assert found["child_minus_best_source"]["ja"]["mean"] == pytest.approx(0.1)
    assert found["child_minus_average"]["ja"]["mean"] == pytest.approx(0.15)


def test_without_a_gap_there_is_no_share_of_it():
    rows = {"a": row(0.8, 0.8, 0.8, 0.8), "average": row(0.7, 0.7, 0.7, 0.7), "child": row(0.9, 0.9, 0.9, 0.9)}
    assert comparisons(rows, ["a"], CATEGORIES)["gap_closed"] is None


def test_without_a_child():
    rows = {"a": row(0.8, 0.8, 0.2, 0.2), "average": row(0.5, 0.5, 0.5, 0.5)}
    assert "gap_closed" not in comparisons(rows, ["a"], CATEGORIES)


def test_a_unet_alone_is_reported_as_the_run_draws_it(pair_config, tmp_path):
    """It has no text encoders to be drawn with as it lies on disk, and this one's shape is not SDXL's."""
    sources = (*pair_config.sources, str(assets.FAMILY / "late.safetensors"))
    store = create_run(tmp_path / "run", pair_config.model_copy(update={"sources": sources, "evaluations": 0}))
    control.carry_out(store)
    assert store.state.failed_rows == {}
    assert store.state.as_shipped["late"] == store.state.results["late"]
    assert store.state.as_shipped["base"] != store.state.results["base"]
