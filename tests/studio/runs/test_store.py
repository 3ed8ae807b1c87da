"""Individuals on their way into a run's database: several at once, all of them or none."""

from contextlib import closing

import pytest

from studio.errors import RunError
from studio.execution.creation import create_run
from tests.stand_in_runs import carry


def test_who_is_recorded_at_once_is_there_in_order_or_not_at_all(pair_config, tmp_path):
    first, second = (create_run(tmp_path / name, pair_config.changed({"evaluations": 4})) for name in ("a", "b"))
    with closing(first), closing(second):
        carry(first, 2)
        everyone = first.individuals()
        second.record(everyone[:4], {"after": 4}, ["base", "0002"])
        with pytest.raises(RunError, match="UNIQUE constraint failed"):
            second.record([everyone[4], everyone[0]], {"after": 6}, ["base", "0003"])
        found = second.individuals()
        assert [one.id for one in found] == ["base", "ja", "0001", "0002"]
        assert [one.id for one in found if one.alive] == ["base", "0002"]
        for one, other in zip(found, everyone, strict=False):
            assert (one.recipe, one.mother, one.born, one.seconds) == (
                other.recipe,
                other.mother,
                other.born,
                other.seconds,
            )
            assert one.scores["ja"].tobytes() == other.scores["ja"].tobytes()
        assert second.state.search == {"after": 4}
        second.record(everyone[4:], {"after": 6}, ["0003"])
        assert [one.id for one in second.individuals() if one.alive] == ["0003"]
