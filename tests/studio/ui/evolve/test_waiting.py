"""The words for a run that waits for the machine."""

from __future__ import annotations

from studio.ui.evolve.waiting import RunBefore, waiting_words


def test_a_place_a_time_and_the_run_before():
    told = waiting_words("en", [RunBefore("a", 0, 355.0)], 1)
    assert told == '2nd in line for this machine, about 6 minutes. Before it: <a href="/en/?run=a">a</a>.'
    both = waiting_words("ja", [RunBefore("a", 0, 60.0), RunBefore("b", 1, None)], 2)
    assert both == 'このマシンの順番待ち：3 番目です。 先に実行中：<a href="/ja/?run=b">b</a>'


def test_no_time_is_told_where_part_of_the_line_is_unknown():
    assert "about" not in waiting_words("en", [RunBefore("a", 0, 60.0)], 2)
    assert waiting_words("en", [], 1).endswith("Another program or another studio has it.")
    assert waiting_words("en", [RunBefore("<b>", 0, None)], 1).endswith(">&lt;b&gt;</a>.")
