"""The held-out report as the Evolve page shows it."""

import pytest

from studio.i18n import Lang
from studio.ui.evolve.progress import results_header, results_table

ROW = {kind: {"mean": 0.4, "low": 0.3514, "high": 0.4496} for kind in ("ja", "en", "consistency")}


@pytest.mark.parametrize(("lang", "average"), [("en", "average of all sources"), ("ja", "全ソースの平均")])
def test_results_table_shows_a_distance_below_nothing_as_nothing(lang: Lang, average: str) -> None:
    rows = results_table(lang, {"real": ROW, "average": ROW}, None, {"real": 0.0154, "average": -0.0004})
    assert [row[0] for row in rows] == ["real", average]
    assert [row[-1] for row in rows] == ["0.015", "0.000"]
    assert all(len(row) == len(results_header(lang)) for row in rows)


def test_results_table_without_reference_pictures() -> None:
    assert [row[-1] for row in results_table("en", {"real": ROW}, None, {})] == ["–"]
