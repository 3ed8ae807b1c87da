"""Pictures that say how they were made."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from studio.png_metadata import data_uri, generation_data, png_bytes, png_uri

DATA = {"individual": "0007", "prompt": "金継ぎの茶碗", "seed": 4}


@pytest.fixture
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))


def test_a_png_keeps_its_pixels_and_says_how_it_was_made(image, tmp_path):
    content = png_bytes(image, DATA)
    (tmp_path / "one.png").write_bytes(content)
    assert generation_data(tmp_path / "one.png") == DATA
    assert generation_data(io.BytesIO(content)) == DATA
    assert Image.open(tmp_path / "one.png").tobytes() == image.tobytes()


def test_what_is_no_picture_of_ours_says_nothing(image, tmp_path):
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "photo.jpg")
    (tmp_path / "text.png").write_text("no picture")
    for name in ("plain.png", "photo.jpg", "text.png", "absent.png"):
        assert generation_data(tmp_path / name) is None


def test_a_large_picture_travels_small(image):
    large = image.resize((1024, 1024))
    kind, _, content = data_uri(large, 256).partition(",")
    assert kind == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (256, 256)
    assert len(content) < len(png_bytes(large, DATA)) / 20


def test_a_png_travels_as_it_is(image):
    content = png_bytes(image, DATA)
    assert base64.b64decode(png_uri(content).partition(",")[2]) == content
