"""Foresight beside M2N2 at several sizes: which sources, and a table that can be checked by hand."""

import pytest

from benchmarks.search.sizes import MORE, SIZES, family, table
from studio.runs.config import embedded
from studio.runs.inputs import open_run_sources


def made(method, seed, *curve):
    return {
        "size": {"sources": SIZES[0].sources, "prompts": SIZES[0].prompts},
        "method": method,
        "seed": seed,
        "curve": list(curve),
        "machine": "a machine",
    }


def test_a_table_by_hand():
    runs = [
        made("m2n2", 0, 0.1, 0.2, 0.2, 0.3),
        made("m2n2", 1, 0.1, 0.2, 0.4, 0.5),  # 0.4 on the mean, in the end
        made("nudges", 0, 0.2, 0.4, 0.4, 0.6),
        made("nudges", 1, 0.2, 0.3, 0.3, 0.3),
    ]
    rows = [line for line in table(runs, 4).splitlines() if line.startswith("| 2 ")]
    assert rows == [
        "| 2 | 33 | M2N2 | 2 | 0.100 | 0.200 | 0.400 | 3, more than 4 |",
        "| 2 | 33 | foresight with nudges | 2 | 0.200 | 0.350 | 0.450 | 2, more than 4 |",
    ]
    assert "| 2 |" not in table(runs[:2], 4)  # nothing beside it


@pytest.mark.parametrize("count", [2, 8])
def test_eight_sources_are_the_six_and_mixtures_of_them(count):
    opened = open_run_sources(embedded(sources=family(count), host={"default": "base"}))
    assert len(opened) == count
    assert list(opened)[6:] == [one.split(" = ")[0] for one in MORE][: max(0, count - 6)]
