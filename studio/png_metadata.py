"""Pictures as files that say how they were made: a PNG's text chunk `m2n2` holds its generation data as JSON."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from pipelines.errors import PictureError
from pipelines.storage.pictures import DAMAGED, open_picture
from pipelines.untrusted import parse_json

CHUNK = "m2n2"
QUALITY = 88  # of a WebP: hard to tell from the PNG, and a tenth of it


def png_bytes(image: Image.Image, data: Mapping[str, Any]) -> bytes:
    """Encode a picture with its generation data as the bytes of a PNG file."""
    info, buffer = PngInfo(), io.BytesIO()
    text = json.dumps(dict(data), ensure_ascii=False).encode("utf-8", "replace").decode()  # halves of letters become ?
    info.add_itxt(CHUNK, text)
    image.save(buffer, "PNG", pnginfo=info, compress_level=1)  # a tenth larger, in half the time
    return buffer.getvalue()


def generation_data(file: Path | IO[bytes]) -> dict[str, Any] | None:
    """Read how a PNG was made, from the file's head alone; `None` where it is no picture of ours."""
    try:
        with open_picture(file) as picture:
            data = parse_json(picture.text[CHUNK]) if isinstance(picture, PngImageFile) else None
    except (PictureError, *DAMAGED):
        return None
    return data if isinstance(data, dict) else None


def infotext(data: Mapping[str, Any]) -> str:
    """Write generation data as the text that A1111 and its kin read, and ComfyUI opens: prompt, then `Key: value`.

    What the data does not say is left out. The seed is for this program's noise, which others draw differently.
    """
    size = data.get("size")
    words = {
        "Steps": data.get("steps"),
        "CFG scale": data.get("guidance"),
        "Seed": data.get("seed"),
        "Size": f"{size}x{size}" if size else None,
        "Model": data.get("individual"),
    }
    line = ", ".join(f"{key}: {value}" for key, value in words.items() if value is not None)
    return f"{data.get('prompt', '')}\n{line}"


def fit_within(image: Image.Image, side: int) -> Image.Image:
    """Shrink a picture to `side` pixels either way at most, in RGB."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def webp_bytes(image: Image.Image) -> bytes:
    """Encode a picture as the bytes of a WebP file, for pages."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()


def data_uri(image: Image.Image, side: int) -> str:
    """Embed a picture in a page that brings its pictures along: WebP, no larger than `side` pixels either way."""
    return f"data:image/webp;base64,{base64.b64encode(webp_bytes(fit_within(image, side))).decode()}"


def png_uri(content: bytes) -> str:
    """Embed a PNG file in a page that brings its pictures along, as it is, with its generation data."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def picture_seed(path: Path) -> int | None:
    """Read the seed a picture was drawn from; `None` where it does not say."""
    return (generation_data(path) or {}).get("seed")
