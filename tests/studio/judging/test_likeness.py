"""How far pictures are apart, on plain colours."""

import numpy as np
import pytest
from PIL import Image

from pipelines.errors import PictureError
from studio.judging.likeness import APART, picture_difference


@pytest.fixture
def kept(tmp_path):
    """Keeps a picture under a name."""

    def keep(name, picture):
        path = tmp_path / f"{name}.png"
        picture.convert("RGB").save(path)
        return path

    return keep


def grey(level, side=256):
    return Image.new("L", (side, side), level)


def test_a_difference_is_the_mean_of_all_levels(kept):
    half = grey(250)
    half.paste(255, (0, 0, 128, 256))
    white = kept("white", grey(255))
    assert picture_difference(white, kept("grey", grey(250))) == 5.0
    assert picture_difference(white, kept("half", half)) == 2.5


def test_what_is_finer_than_one_sees_does_not_count(kept):
    checks = Image.fromarray(np.indices((256, 256)).sum(axis=0).astype(np.uint8) % 2 * 10 + 245)
    assert picture_difference(kept("checks", checks), kept("grey", grey(250))) == 0.0


def test_other_sizes_are_apart_and_what_is_written_again_is_looked_at_again(kept):
    white = kept("white", grey(255))
    assert picture_difference(white, kept("small", grey(255, side=64))) == APART
    other = kept("other", grey(245))
    assert picture_difference(white, other) == 10.0
    kept("other", grey(255))
    assert picture_difference(white, other) == 0.0


def test_a_picture_that_cannot_be_read_is_named(kept, tmp_path):
    with pytest.raises(PictureError, match="gone.png"):
        picture_difference(kept("white", grey(255)), tmp_path / "gone.png")
