"""The rows of the plots of a run."""

from studio.ui.evolve import plots


def test_a_long_history_is_thinned_and_keeps_both_ends():
    assert plots.thinned(range(1000))[:2] == [0, 8]  # 999 / 119 is 8.4
    assert plots.thinned(range(1000))[-1] == 999
    assert len(plots.thinned(range(1000))) == plots.POINTS
    assert plots.thinned(range(3)) == [0, 1, 2]
    assert plots.thinned([]) == []
