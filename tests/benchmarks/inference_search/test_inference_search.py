"""The benchmark of searches at drawing time: a table by hand, and one small round on real models."""

import numpy as np
import pytest

import assets
from benchmarks.inference_search import __main__ as bench
from benchmarks.inference_search.measure import PLAIN, Found, table


def found(judge, jury, steps):
    return Found(np.array(judge), np.array(jury), np.array(steps))


def test_rows_are_differences_from_the_child_drawn_plainly():
    plain = found([0.1, 0.3], [0.2, 0.2], [6.0, 6.0])
    searched = found([0.3, 0.5], [0.3, 0.3], [48.0, 54.0])
    rows = table({"child": {("best-of-n", 8): searched, (PLAIN, 1): plain}, "source": {(PLAIN, 1): searched}}, "child")
    assert rows == [
        ["child", "plain", "1", "6", "0.200", "0.200 [0.200, 0.200]", ""],
        ["child", "best-of-n", "8", "51", "0.400", "0.300 [0.300, 0.300]", "+0.100 [+0.100, +0.100]"],
        ["source", "plain", "1", "51", "0.400", "0.300 [0.300, 0.300]", "+0.100 [+0.100, +0.100]"],
    ]


def test_both_models_are_drawn_plainly_and_searched(tmp_path, capsys):
    flat, ja = (str(assets.FAMILY / name) for name in ("flat", "ja"))
    asked = [flat, "--source", ja, "--count", "1", "--budgets", "2", "5", "--wording", "{}の絵"]
    bench.main([*asked, "--out", str(tmp_path / "table.md")])
    capsys.readouterr()
    lines = (tmp_path / "table.md").read_text("utf-8").splitlines()[4:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    kinds = [("plain", "1"), ("ab-mcts", "2"), ("best-of-n", "2"), ("ab-mcts", "5"), ("best-of-n", "5")]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (model, *kind) for model in ("child", "best source") for kind in kinds
    ]
    for model in (rows[:5], rows[5:]):
        judged = [float(row[4]) for row in model]
        assert judged[0] <= judged[1] == judged[2] <= min(judged[3:])  # two pictures are the same ones in both searches


def test_without_a_run_the_source_is_asked_for():
    with pytest.raises(SystemExit, match="expected --source"):
        bench.main([str(assets.FAMILY / "flat")])
