"""The header metadata of a single file: ModelSpec 1.0.1, the ancestry that A1111 keeps, and the recipe itself.

All values are strings. Nothing in them depends on when or where they are written, unless a date is given: the same
recipe and the same sources give the same bytes.

`modelspec.unet_dtype` and `vae_dtype` are left out: they name the types that inference needs, not the ones stored.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from PIL import ImageOps

from pipelines.errors import ExportError
from pipelines.storage.pictures import read_picture
from pipelines.weaving.plan import Plan

from .export import TENSOR_HASH_KEY
from .provenance import HEADER_LIMIT, RECIPE_KEY, ancestry_tables, contributing_sources, portable_recipe

THUMBNAIL_SIDE = 256  # pixels


def single_file_metadata(
    plan: Plan,
    *,
    title: str,
    description: str = "",
    author: str | None = None,
    licence: str | None = None,
    tags: Iterable[str] = (),
    date: datetime | None = None,
    thumbnail: str | None = None,
) -> dict[str, str]:
    """Make the header metadata of a plan's single file; the tensor hash in it is set when the file is written.

    A recipe that is longer than a megabyte, with ten thousand segments or so, stays beside the file: programs read the
    headers of all files they list. Its digest takes its place, as `m2n2_recipe_digest`.

    Args:
        plan: what is built.
        title: what it is called.
        description: in a sentence or more; Markdown.
        author: who made it.
        licence: under which terms.
        tags: to be found by.
        date: when it was made; not in the file if left out, so that the same recipe gives the same bytes.
        thumbnail: a data URL, see `thumbnail_data_url`.

    Raises:
        SourceError: a source's file cannot be read.
    """
    architecture, names = plan.architecture, contributing_sources(plan.recipe)
    merged, models = ancestry_tables(plan, title)
    spec = {
        "sai_model_spec": "1.0.1",
        "architecture": _architecture_id(architecture.name),
        "implementation": "sgm",
        "title": title,
        "resolution": _resolution(plan),
        "description": description,
        "author": author,
        "date": date and date.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "license": licence,
        "tags": ",".join(tags),
        "merged_from": ",".join(name.replace(",", " ") for name in names) if len(names) > 1 else None,
        "prediction_type": "v" if architecture.prediction_type == "v_prediction" else "epsilon",
        "thumbnail": thumbnail,
    }
    recipe = _compact(portable_recipe(plan).model_dump(mode="json", exclude_none=True))
    fits = len(recipe.encode()) <= HEADER_LIMIT
    return {
        **{f"modelspec.{key}": value for key, value in spec.items() if value},
        TENSOR_HASH_KEY: "",
        "sd_merge_recipe": _compact(merged),
        "sd_merge_models": _compact(models),
        **({RECIPE_KEY: recipe} if fits else {f"{RECIPE_KEY}_digest": plan.recipe.digest}),
    }


def thumbnail_data_url(picture: bytes) -> str:
    """Make ModelSpec's thumbnail of a picture: a data URL of a JPEG of 256x256 pixels.

    Args:
        picture: a file that Pillow opens.
    """
    small = ImageOps.fit(read_picture(io.BytesIO(picture)), (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def source_date() -> datetime | None:
    """Read the date that a build is to bear from `SOURCE_DATE_EPOCH`, as reproducible builds set it.

    Returns:
        The date in UTC; `None` where it is not set.

    Raises:
        ExportError: it is set to something else than seconds.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ExportError(
            "SOURCE_DATE_EPOCH is {seconds!r}. Expected seconds since 1970; unset it, or mend it.", seconds=seconds
        ) from error


def _architecture_id(name: str) -> str:
    """Return ModelSpec's name for SDXL, and for other shapes one that no program takes for it."""
    return "stable-diffusion-xl-v1-base" if name == "SDXL" else re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _resolution(plan: Plan) -> str | None:
    """Return the width and height that the model was made for, from its configuration."""
    side = plan.lender("unet").config("unet").get("sample_size")
    factor = 2 ** (len(plan.lender("vae").config("vae")["block_out_channels"]) - 1)
    return f"{side * factor}x{side * factor}" if isinstance(side, int) else None


def _compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
