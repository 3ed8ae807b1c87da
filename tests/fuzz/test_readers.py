"""Whatever a file holds, its reader gives a value or an error of the house, in bounded memory."""

import contextlib
import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from pipelines.errors import M2N2Error

from .readers import READERS

MOST_MEMORY = 768 << 20  # bytes that a reader may add to what the process had at most before


SHORT = settings(
    max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_gives_a_value_or_an_error_of_the_house(reader):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        reader.prepare(folder)

        @settings(
            max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(reader.inputs)
        def read(content):
            with contextlib.suppress(M2N2Error):
                reader.read(folder, content)

        read()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MOST_MEMORY
