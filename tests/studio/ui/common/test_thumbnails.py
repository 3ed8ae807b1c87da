"""Pictures of full-size models are made small once; those of the embedded family are small already."""

import io
import os

import numpy as np
from PIL import Image

from studio.ui.common.thumbnails import small_picture, tile


def test_a_large_picture_is_made_small_once(tmp_path):
    file = tmp_path / "images" / "0001" / "cat-ja-0.png"
    file.parent.mkdir(parents=True)
    Image.new("RGB", (1024, 768), "red").save(file)
    made = small_picture(file)
    assert made == tmp_path / "small" / "0001" / "cat-ja-0.webp"
    with Image.open(made) as picture:
        assert picture.size == (256, 192)
    before = made.stat().st_mtime_ns
    assert small_picture(file) == made
    assert made.stat().st_mtime_ns == before
    whole = tile([file])
    Image.new("RGB", (1024, 768), "blue").save(file)  # as a run does that changes its noise
    os.utime(file, ns=(before + 1, before + 1))
    with Image.open(small_picture(file)) as picture:
        assert picture.convert("RGB").getpixel((9, 9))[2] > 200
    assert tile([file]) != whole


def test_a_small_picture_stands_for_itself(finished):
    with finished.run("first") as store:
        file = store.images("ja")[0]
    assert small_picture(file) == file


def test_a_tile_has_up_to_four_and_stays_grey_where_there_are_none(tmp_path):
    folder = tmp_path / "images" / "one"
    folder.mkdir(parents=True)
    for colour in ("red", "blue"):
        Image.new("RGB", (64, 64), colour).save(folder / f"{colour}.png")
    whole = tile((folder / "red.png", folder / "blue.png"))
    with Image.open(io.BytesIO(whole)) as picture:
        seen = [picture.convert("RGB").getpixel(place) for place in ((10, 10), (200, 10), (10, 200))]
    np.testing.assert_allclose(seen, [(255, 0, 0), (0, 0, 255), (128, 128, 128)], atol=6)  # WebP is not exact
