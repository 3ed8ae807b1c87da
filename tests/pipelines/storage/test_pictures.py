"""Pictures of others: kinds and sizes are known before a pixel is decoded."""

import io
import struct
import zlib

import pytest
from PIL import Image

from pipelines.errors import PictureError
from pipelines.storage.pictures import MOST_PIXELS, open_picture, read_picture
from studio.png_metadata import generation_data


def claiming(width, height):
    """A PNG of some bytes that says it has so many pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def saved(kind, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (255, 0, 0)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(60_000, 60_000), (8193, 8193), (1, MOST_PIXELS + 1), (11_000, 11_000)])
def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path, size):
    path = tmp_path / "large.png"
    path.write_bytes(claiming(*size))
    for file in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(PictureError, match="64 million|Decompression"):
            read_picture(file)
    assert generation_data(path) is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_usual_pictures_are_read(kind):
    content = saved(kind)
    assert read_picture(io.BytesIO(content)).size == (3, 2)
    with open_picture(io.BytesIO(content)) as picture:
        assert picture.size == (3, 2)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", saved("PNG")[:50], saved("JPEG")[:200], claiming(3, 2)[:45],
     saved("TIFF"), saved("EPS"), saved("GIF"), claiming(0, 2)],
)  # fmt: skip
def test_what_is_none_is_refused(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"x\.png: expected a picture"):
        read_picture(path)


def test_a_picture_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(PictureError, match="nothing there"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(PictureError):
        read_picture(tmp_path / "\0")
