"""Export: a recipe to a diffusers folder that plain `StableDiffusionXLPipeline.from_pretrained` loads.

Written beside its target and renamed when whole; disk space is checked first, and a failure leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from .errors import ExportError
from .recipe import Recipe
from .sources import COMPONENTS, Source
from .weave import Plan, weave_file

_WEIGHTS = {"unet": "diffusion_pytorch_model.safetensors"}
_TEXT_WEIGHTS = "model.safetensors"
_SPARE = 16 << 20  # bytes for everything that is not a woven tensor or a copied file
Documents = Mapping[str, bytes]


def export_folder(
    recipe: Recipe,
    sources: Mapping[str, Source],
    target: str | Path,
    *,
    dtype: torch.dtype | None = None,
    documents: Documents | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a recipe as a diffusers folder, with the recipe itself as `recipe.json`.

    Args:
        recipe: what to build.
        sources: opened sources by the recipe's names.
        target: the folder to make; must not exist or be empty.
        dtype: of the merged tensors; the dtype of the host's files if left out.
        documents: further files to write, by name: a card, licences, pictures.
        progress: told (bytes written, bytes in all).

    Returns:
        The folder.

    Raises:
        ExportError: the target is taken, the disk is full or cannot be written.
        RecipeError: the recipe does not fit the sources.
    """
    folder = Path(target).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} exists already. Expected a new or empty folder; choose another name.")
    plan = Plan(recipe, sources, dtype=dtype)
    total = export_size(plan)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
        if free < total + _SPARE:
            raise ExportError(
                f"{folder.parent} has {free / 1e9:.2f} GB free; the checkpoint needs {(total + _SPARE) / 1e9:.2f} GB. "
                "Free some space, or choose another place."
            )
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _write(plan, unfinished, documents or {}, lambda done: progress(done, total) if progress else None)
            unfinished.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            os.replace(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise ExportError(
            f"{folder} could not be written: {error.strerror or error}. Nothing was left behind; free some space or "
            "choose another place, and export again."
        ) from error
    return folder


def export_size(plan: Plan) -> int:
    """Bytes of the weights that an export writes."""
    woven = sum(
        thread.dtype.itemsize * torch.Size(thread.shape).numel()
        for threads in plan.threads.values()
        for thread in threads
    )
    return woven + sum(file.stat().st_size for part in COMPONENTS for file in _lent_files(plan, part))


def _write(plan: Plan, folder: Path, documents: Documents, progress: Callable[[int], None]) -> None:
    done = 0
    for part in COMPONENTS:
        lender = plan.sources[plan.recipe.lender(part)].path / part
        (folder / part).mkdir()
        for file in _lent_files(plan, part):
            shutil.copyfile(file, folder / part / file.name)
            done += file.stat().st_size
            progress(done)
        if part in plan.threads:
            shutil.copyfile(lender / "config.json", folder / part / "config.json")
            path = folder / part / _WEIGHTS.get(part, _TEXT_WEIGHTS)
            base = done
            weave_file(plan, part, path, progress=lambda written, base=base: progress(base + written))  # type: ignore[misc]
            done += path.stat().st_size
    index = dict(plan.sources[plan.recipe.lender("default")].index)
    index.update({part: plan.sources[plan.recipe.lender(part)].index[part] for part in COMPONENTS})
    index.pop("_name_or_path", None)
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")
    (folder / "recipe.json").write_text(plan.recipe.to_json(), "utf-8")
    for name, content in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _lent_files(plan: Plan, part: str) -> list[Path]:
    """The files of a component that its host lends as they are; none where the component is woven."""
    if part in plan.threads:
        return []
    folder = plan.sources[plan.recipe.lender(part)].path / part
    return sorted(file for file in folder.iterdir() if file.is_file())
