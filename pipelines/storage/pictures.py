"""Picture files that others made: their kind and size are looked at before a single pixel is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image

from pipelines.errors import Phrase, PictureError

FORMATS = ("PNG", "JPEG", "WEBP")
MOST_PIXELS = 1 << 26  # 8192 x 8192; a quarter of a gigabyte in memory
#: What Pillow's readers raise over damaged files; a warning is an error where warnings are.
DAMAGED = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError, IndexError, KeyError, TypeError),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


@contextmanager
def open_picture(file: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Open a picture: its size and head are known, its pixels are decoded when they are asked for.

    Raises:
        PictureError: no such file, no PNG, JPEG or WebP, damaged, or more than `MOST_PIXELS`.
    """
    try:
        opened = Image.open(file, formats=FORMATS)
    except DAMAGED as error:
        raise _unreadable(file, error) from error
    with opened:
        width, height = opened.size
        if width * height > MOST_PIXELS:
            raise PictureError(
                "{file} has {width} x {height} pixels. Expected at most {most} million: make it smaller.",
                file=_name(file),
                width=width,
                height=height,
                most=MOST_PIXELS >> 20,
            )
        yield opened


def read_picture(file: Path | IO[bytes]) -> Image.Image:
    """Decode a picture, in RGB; raises as `open_picture`."""
    with open_picture(file) as picture:
        try:
            return picture.convert("RGB")
        except DAMAGED as error:
            raise _unreadable(file, error) from error


def _unreadable(file: Path | IO[bytes], error: BaseException) -> PictureError:
    missing = isinstance(error, FileNotFoundError)
    found = Phrase("nothing there") if missing else Phrase("none that can be read ({kind})", kind=type(error).__name__)
    return PictureError(
        "{file}: expected a picture in PNG, JPEG or WebP, found {found}. Save it again as PNG.",
        file=_name(file),
        found=found,
    )


def _name(file: Path | IO[bytes]) -> str:
    return str(file) if isinstance(file, Path) else Phrase("The picture")
