"""A studio whose models may be starred and reviewed."""

import shutil

import pytest

from studio.ui.common.studio import Studio


@pytest.fixture
def studio(finished, tmp_path):
    """A copy of the finished studio."""
    shutil.copytree(finished.runs, tmp_path / "runs")
    return Studio(tmp_path / "runs")
