"""The finished run as Compare sees it."""

import pytest

from studio.ui.common.studio import Studio


@pytest.fixture
def config(finished):
    with finished.run("first") as store:
        return store.config


@pytest.fixture
def fresh(finished):
    """The finished run, in a studio that has drawn nothing for a page yet."""
    return Studio(finished.runs, previewer=finished.previewer, allowed=finished.allowed)
