"""How a run stands, by what it wrote and when."""

from types import SimpleNamespace

import pytest

from studio.runs import summary
from studio.runs.config import RunConfig
from studio.runs.state import Pace, RunState
from studio.runs.summary import stuck_for


class TestWhatIsFarLongerThanUsual:
    """Ten times the slowest of late, and five minutes at least; of the first of its kind two hours."""

    CONFIG = RunConfig.model_construct(archive=16, noise_rotation=0)
    CHILDREN = Pace(4, 3, (30.0, 60.0), last=1_000.0, slowest_source=90.0)
    SOURCES = Pace(1, 0, (), last=1_000.0, slowest_source=90.0)
    NOTHING = Pace(0, 0, (), last=None, slowest_source=None)
    ROW = RunState(began=900.0, report_last=2_000.0, report_slowest=50.0)

    @pytest.mark.parametrize(
        ("pace", "state", "now", "usual", "last"),
        [
            (CHILDREN, RunState(began=900.0), "running", 600, 1_000),
            (CHILDREN, RunState(began=1_500.0), "running", 600, 1_500),  # it was stopped in between
            (Pace(4, 3, (0.1,), 1_000.0, 0.1), RunState(began=900.0), "running", 300, 1_000),
            (SOURCES, RunState(began=900.0), "running", 900, 1_000),
            (NOTHING, RunState(began=900.0), "running", 7_200, 900),
            (CHILDREN, RunState(began=900.0), "reporting", 7_200, 1_000),
            (CHILDREN, ROW, "reporting", 500, 2_000),
        ],
    )
    def test_is_called_stuck(self, pace, state, now, usual, last, monkeypatch):
        for seconds, stuck in ((usual - 1, None), (usual + 1, usual + 1)):
            monkeypatch.setattr(summary, "time", SimpleNamespace(time=lambda after=seconds: last + after))
            assert stuck_for(self.CONFIG, state, pace, now) == stuck

    def test_everyone_alive_is_scored_again_where_noise_changes(self, monkeypatch):
        changing = self.CONFIG.model_copy(update={"noise_rotation": 5})
        for seconds, stuck in ((26 * 60 - 1, None), (26 * 60 + 1, 26 * 60 + 1)):
            monkeypatch.setattr(summary, "time", SimpleNamespace(time=lambda after=seconds: 1_000 + after))
            assert stuck_for(changing, RunState(began=900.0), self.CHILDREN, "running") == stuck

    @pytest.mark.parametrize("now", ["queued", "stopped", "done", "interrupted"])
    def test_a_run_that_does_not_go_on_is_not(self, now):
        assert stuck_for(self.CONFIG, RunState(began=900.0), self.CHILDREN, now) is None
