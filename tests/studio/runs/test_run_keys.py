"""The table of a run file's keys: every key the model takes, with the limits it has there."""

import pytest

from studio.errors import ConfigError
from studio.runs.config import Breeding, RunConfig, embedded
from studio.runs.run_keys import RUN_KEYS


def test_every_key_of_a_run_file_is_a_row_that_says_what_it_means():
    assert {key for key in RUN_KEYS if "." not in key} == set(RunConfig.model_fields)
    assert {key for key in RUN_KEYS if key.startswith("breeding.")} == {
        f"breeding.{name}" for name in Breeding.model_fields
    }
    assert all(row.meaning for row in RUN_KEYS.values())
    assert [row.key for row in RUN_KEYS.values() if row.holds_keys] == ["breeding", "pictures"]


def test_rows_say_defaults_and_limits_as_the_model_has_them():
    archive, alpha, beta = RUN_KEYS["archive"], RUN_KEYS["alpha"], RUN_KEYS["breeding.beta"]
    assert (archive.default, archive.at_least, archive.at_most) == (20, 2, None)
    assert (alpha.at_least, alpha.at_most) == (0, 10)
    assert (beta.name, beta.default, beta.above) == ("beta", 1.0, 0)
    assert (RUN_KEYS["sources"].required, RUN_KEYS["sources"].fewest) == (True, 2)
    assert (RUN_KEYS["compete"].fewest, RUN_KEYS["compete"].most) == (1, 2)
    assert RUN_KEYS["pictures.size"].multiple_of == 8


@pytest.mark.parametrize("row", RUN_KEYS.values(), ids=lambda row: row.key)
def test_the_limits_of_a_row_are_those_that_a_run_is_held_to(row):
    beyond = [
        *([row.at_least - 1] if row.at_least is not None else []),
        *([row.above] if row.above is not None else []),
        *([row.at_most + 1] if row.at_most is not None else []),
    ]
    for value in beyond:
        with pytest.raises(ConfigError, match=f"at {row.key}: Input should be"):
            embedded().changed({row.key: value})
