"""What a run has come to: the same numbers as its individuals have, read without them."""

import shutil

import numpy as np
import pytest

from studio.run_folders.figures import run_figures
from studio.run_folders.making import new_run_folder
from studio.runs.database import make_database
from studio.runs.store import open_run


@pytest.fixture
def run(bred, tmp_path):
    store = open_run(shutil.copytree(bred.folder, tmp_path / "run"))
    yield store
    store.close()


def test_figures_are_those_of_its_individuals(run):
    everyone, found = run.individuals(), run_figures(run.folder)
    offspring = [one for one in everyone if not one.is_source]
    for kind, best in (("ja", found.best_ja), ("en", found.best_en)):
        means = [one.mean(kind) for one in offspring if kind in one.scores]
        assert best == (pytest.approx(max(means)) if means else None)
    drawn = [one.scores[kind] for one in everyone for kind in ("ja", "en") if kind in one.scores]
    partial = [one.partial.values for one in everyone if one.partial]
    assert found.pictures == sum(int(np.isfinite(values).sum()) for values in [*drawn, *partial]) > 0
    assert found.seconds == pytest.approx(sum(one.seconds for one in everyone))
    assert found.began == min(one.born for one in everyone)
    results = run.state.results
    assert found.over_average == pytest.approx(results["child"]["ja"]["mean"] - results["average"]["ja"]["mean"])


def test_they_are_read_again_once_the_run_has_changed(run):
    before = run_figures(run.folder)
    assert run_figures(run.folder) is before
    run.update(comparisons={"child_minus_average": {"ja": {"mean": 0.25}}})
    assert run_figures(run.folder).over_average == 0.25
    run.update(comparisons={"child_minus_average": []})  # of another version
    assert run_figures(run.folder).over_average is None


def test_a_run_without_individuals_has_none(tmp_path):
    with new_run_folder(tmp_path / "new") as folder:
        make_database(folder)
    found = run_figures(tmp_path / "new")
    assert (found.began, found.best_ja, found.best_en, found.over_average) == (None, None, None, None)
    assert (found.pictures, found.seconds) == (0, 0.0)
