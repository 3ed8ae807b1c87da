"""A run to vote on, open."""

import pytest
from PIL import Image

from studio.runs.store import open_run


@pytest.fixture
def store(ballot):
    store = open_run(ballot)
    yield store
    store.close()


@pytest.fixture
def twins(store):
    """Two sources whose pictures are four levels apart, and the others' black or white."""
    greys = {"base": 120, "flat": 124, "ja": 0, "real": 255}
    for id, grey in greys.items():
        for path in store.images(id):
            with Image.open(path) as picture:
                plain = Image.new("RGB", picture.size, (grey,) * 3)
            plain.save(path)
    return "base", "flat"
