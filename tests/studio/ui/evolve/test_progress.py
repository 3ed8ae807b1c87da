"""What the Evolve page shows of a run, and what a poll of it reads."""

import shutil

import pytest

from studio.i18n import Lang
from studio.ui.common.studio import Studio
from studio.ui.evolve.progress import glance, results_header, results_table, run_view
from tests.conftest import files_opened

ROW = {kind: {"mean": 0.4, "low": 0.3514, "high": 0.4496} for kind in ("ja", "en", "consistency")}


@pytest.mark.parametrize(("lang", "average"), [("en", "average of all sources"), ("ja", "全ソースの平均")])
def test_results_table_shows_a_distance_below_nothing_as_nothing(lang: Lang, average: str) -> None:
    rows = results_table(lang, {"real": ROW, "average": ROW}, None, {"real": 0.0154, "average": -0.0004})
    assert [row[0] for row in rows] == ["real", average]
    assert [row[-1] for row in rows] == ["0.015", "0.000"]
    assert all(len(row) == len(results_header(lang)) for row in rows)


def test_results_table_without_reference_pictures() -> None:
    assert [row[-1] for row in results_table("en", {"real": ROW}, None, {})] == ["–"]


def test_a_poll_opens_the_run_it_shows_and_no_other(finished, tmp_path):
    for name in ("one", "two", "three"):
        shutil.copytree(finished.runs / "first", tmp_path / "runs" / name)
    studio = Studio(tmp_path / "runs")
    run_view(studio, "en", "two")  # as the page is loaded
    with files_opened() as opened:
        assert "two" in studio.run_names()
        glance(studio, "en", "two")
    assert sorted(file.relative_to(studio.runs).as_posix() for file in opened) == ["two/run.db", "two/run.yaml"]
    assert glance(studio, "en", "two") == (run_view(studio, "en", "two").mark, run_view(studio, "en", "two").headline)
