"""A run to vote on, open."""

import pytest

from studio.runs.store import open_run


@pytest.fixture
def store(ballot):
    store = open_run(ballot)
    yield store
    store.close()
