"""Export: a recipe to a checkpoint that other tools open: a diffusers folder, a single file, or a network's own files.

Written beside its target, checked, and renamed when whole; disk space is looked at first, and a failure or a cancel
leaves nothing behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pipelines.architectures.keys import COMPONENTS, MODEL, WEIGHTED_COMPONENTS
from pipelines.checkpoints.component import Component
from pipelines.checkpoints.contents import TOKENIZERS
from pipelines.errors import ExportError
from pipelines.exporting.drafts import atomic_outputs, refuse_existing, refuse_in_sources, require_empty_folder
from pipelines.storage.files import lies_in, read_sha256, write_whole
from pipelines.storage.tensor_file import DTYPE_CODES, FP8_DTYPES, TensorFile
from pipelines.storage.tensor_ref import TensorRef
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import FileEntry, component_entries, weave_file

from .manifest import write_manifest
from .places import note_sources, portable_configuration, without_places
from .provenance import note_file_sha256, portable_recipe
from .single_file import BUFFERS, LOGIT_SCALE, logit_scale, single_file_entries

PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32, "fp8": torch.float8_e4m3fn}
WEIGHT_FILE_NAMES = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
    "text_encoder_2": "model.safetensors",
}
SINGLE_FILE_SUFFIX = ".safetensors"
TENSOR_HASH_KEY = "modelspec.hash_sha256"  # SHA-256 of the data section, known once that is written
CONFIG_FOLDER = "config"  # in the documents of a single file: what from_single_file(config=...) takes
_VOCABULARY = (".json", ".txt", ".model", ".jinja")  # of a tokenizer's files; code and pickles stay behind
_LICENCES = ("LICENSE", "LICENCE", "NOTICE", "COPYING")
_PIPELINES = {  # by what else a UNet reads than latents
    "inpaint": "StableDiffusionXLInpaintPipeline",
    "instruct-pix2pix": "StableDiffusionXLInstructPix2PixPipeline",
}
Documents = Mapping[str, bytes]
Progress = Callable[[int, int], None]


def export_folder(
    plan: Plan,
    target: str | Path,
    *,
    documents: Documents | Callable[[Path], Documents] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a recipe as a diffusers folder, with the recipe itself as `recipe.json`.

    Args:
        plan: what to build, and in which precision.
        target: the folder to make; must not exist or be empty.
        documents: further files to write, by name: a card, licences, pictures; or what makes them once the weights are
            written, given the unfinished folder.
        progress: told (bytes written, bytes in all); raise in it to give up.

    Returns:
        The folder.

    Raises:
        DiskError: the disk has not got the room.
        ExportError: the target is taken, the disk cannot be written.
        RecipeError: the recipe does not fit the sources.
    """
    folder = require_empty_folder(target)
    refuse_in_sources([folder], plan.sources.values())
    parts = {
        part: [entry for entry in component_entries(plan, part) if entry.key not in BUFFERS]
        for part in WEIGHTED_COMPONENTS
    }
    total = sum(entry.size for entries in parts.values() for entry in entries)
    with atomic_outputs(folder, size=total) as (unfinished,):
        done = 0
        write_configs(plan, unfinished)
        for part, entries in parts.items():
            path, base = unfinished / part / WEIGHT_FILE_NAMES[part], done

            def report(written: int, base: int = base) -> None:
                if progress:
                    progress(base + written, total)

            written = weave_file(plan, entries, path, progress=report)
            _check_written(entries, path)
            note_file_sha256(path, written.sha256)
            _note_component(part, entries, path, written.data_sha256)
            done += sum(entry.size for entry in entries)
        _write_documents(unfinished, plan, documents, unfinished)
        if folder.exists():
            folder.rmdir()
    return folder


def export_network(plan: Plan, target: str | Path, *, progress: Progress | None = None) -> Path:
    """Write a recipe of any network as its host's folder: files of the same names with the same tensors in each.

    With them go the host's configuration, tokenizer and licence texts, and the recipe as `recipe.json`. Arguments,
    result and errors are those of `export_folder`.
    """
    folder = require_empty_folder(target)
    refuse_in_sources([folder], plan.sources.values())
    host = plan.lender(MODEL)
    files: dict[TensorFile, list[FileEntry]] = {}
    for entry in component_entries(plan, MODEL):
        file = host.components[MODEL].tensors[entry.key].file
        assert file is not None, entry.key
        files.setdefault(file, []).append(entry)
    total = sum(entry.size for entries in files.values() for entry in entries)
    with atomic_outputs(folder, size=total) as (unfinished,):
        unfinished.mkdir()
        done = 0
        for file, entries in files.items():
            path = unfinished / file.path.name

            def report(written: int, base: int = done) -> None:
                if progress:
                    progress(base + written, total)

            written = weave_file(plan, entries, path, metadata=file.metadata, progress=report)
            _check_written(entries, path)
            note_file_sha256(path, written.sha256)
            done += sum(entry.size for entry in entries)
        for document in sorted(host.path.iterdir()) if host.path.is_dir() else ():
            if lies_in(document, host.path) and (document.suffix in _VOCABULARY or document.stem.upper() in _LICENCES):
                (unfinished / document.name).write_bytes(without_places(document))
        _write_documents(unfinished, plan, None, unfinished)
        if folder.exists():
            folder.rmdir()
    return folder


def export_file(
    plan: Plan,
    target: str | Path,
    *,
    metadata: Mapping[str, str] | None = None,
    documents: Documents | Callable[[Path], Documents] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a recipe as one `.safetensors` file with SGM names, which ComfyUI, A1111 and diffusers open.

    Args:
        plan: what to build, and in which precision.
        target: the file to make; must not exist.
        metadata: for its header; where it has `modelspec.hash_sha256`, that is set to the hash of the tensor bytes.
        documents: files to put into `about_folder(target)`, or what makes them, given the unfinished file; with them go
            the recipe as `recipe.json` and, as `config`, what `from_single_file(config=...)` takes. None: the file
            alone.
        progress: told (bytes done, bytes in all); raise in it to give up. Where there is a hash, a byte is half done
            when it is written, and done when it is read back for the hash of the file.

    Returns:
        The file.

    Raises:
        DiskError: the disk has not got the room.
        ExportError: the target is taken or is no `.safetensors`, the disk cannot be written, or the text encoders are
            not SDXL's.
        RecipeError: the recipe does not fit the sources.
    """
    path = Path(os.path.expanduser(target))
    if path.suffix != SINGLE_FILE_SUFFIX:
        raise ExportError(
            "{path} is no name for a single file. Expected one that ends in {single_file_suffix}.",
            path=path,
            single_file_suffix=SINGLE_FILE_SUFFIX,
        )
    targets = [path] if documents is None else [path, about_folder(path)]
    entries = single_file_entries(plan)
    hash_key = TENSOR_HASH_KEY if TENSOR_HASH_KEY in (metadata or {}) else None
    size = sum(entry.size for entry in entries)

    def report(done: int) -> None:
        if progress:
            progress(done // 2 if hash_key else done, size)

    refuse_existing(targets)
    refuse_in_sources(targets, plan.sources.values())
    with atomic_outputs(*targets, size=size) as unfinished:
        written = weave_file(plan, entries, unfinished[0], metadata=metadata, hash_key=hash_key, progress=report)
        _check_written(entries, unfinished[0])
        note_file_sha256(unfinished[0], written.sha256)
        if documents is not None:
            write_configs(plan, unfinished[1] / CONFIG_FOLDER)
            _write_documents(unfinished[1], plan, documents, unfinished[0])
        refuse_existing(targets)
    return path


def about_folder(path: Path) -> Path:
    """Return the folder for the documents of a single file: `NAME.about` beside `NAME.safetensors`."""
    return path.with_suffix(".about")


def write_configs(plan: Plan, folder: Path) -> None:
    """Write all of a diffusers folder but its weights: index, configurations, tokenizers, scheduler."""
    for part in COMPONENTS:
        (folder / part).mkdir(parents=True)
        if part in TOKENIZERS:
            files = plan.lender(part).contents.tokenizers[part].iterdir()
            for file in sorted(file for file in files if file.is_file() and file.suffix in _VOCABULARY):
                (folder / part / file.name).write_bytes(without_places(file))
        else:
            name, lender = "scheduler_config.json" if part == "scheduler" else "config.json", plan.lender(part)
            kept = {}
            if part == "text_encoder_2" and LOGIT_SCALE in lender.components[part].tensors:
                kept = {"logit_scale_init_value": logit_scale(lender)}  # else folders would lose it
            config = plan.scheduler_config() if part == "scheduler" else lender.config(part)
            _write_json(folder / part / name, portable_configuration(config) | kept)
    _write_json(folder / "model_index.json", model_index(plan))


def model_index(plan: Plan) -> dict[str, Any]:
    """Make the `model_index.json` of a folder: plain diffusers' classes, whatever the host called its own."""
    host = plan.lender("unet").contents.index
    pipeline = _PIPELINES.get(plan.architecture.editing.strip(), "StableDiffusionXLPipeline")
    index: dict[str, Any] = {
        "_class_name": pipeline,
        "_diffusers_version": version("diffusers"),
        "force_zeros_for_empty_prompt": host.get("force_zeros_for_empty_prompt", True),
    }
    index |= {part: plan.lender(part).contents.index[part] for part in COMPONENTS}
    # diffusers takes the pooled vector from the first encoder that offers one; a first encoder with a projection, as
    # Japanese SDXL has, would offer the wrong one
    return index | {"text_encoder": ["transformers", "CLIPTextModel"]}


def _check_written(entries: list[FileEntry], path: Path) -> None:
    """Refuse a file in which a reader finds something else than what was planned."""
    expected = {entry.key: (entry.shape, DTYPE_CODES[entry.dtype]) for entry in entries}
    if TensorFile(path).tensors != expected:
        raise ExportError(
            "{name} does not hold what was written; the disk may be failing. Export again.", name=path.name
        )


def _note_component(part: str, entries: list[FileEntry], path: Path, data_sha256: str) -> None:
    """Note the hash of a component that was woven whole, and so found finite: its file holds it in canonical order."""
    woven = all(plan.spans is not None for entry in entries for plan in entry.tensor_plans)
    dtypes = {entry.dtype for entry in entries}
    if woven and len(dtypes) == 1 and not dtypes & set(FP8_DTYPES.values()):  # whose hash is over what they widen to
        file = TensorFile(path)
        refs = {entry.key: TensorRef(file, entry.key, DTYPE_CODES[entry.dtype], entry.shape) for entry in entries}
        Component(part, str(path.parent), refs).note_sha256(data_sha256)


def data_sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Hash the tensor bytes of a safetensors file as they lie in it, without its header: hex SHA-256.

    Args:
        path: the file.
        progress: told the bytes read so far.
    """
    with open(path, "rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    return read_sha256(path, progress, start=header)


def _write_documents(
    folder: Path, plan: Plan, documents: Documents | Callable[[Path], Documents] | None, checkpoint: Path
) -> None:
    """Write recipe and further documents into a folder, and last the hashes of all that is in the export.

    Where the sources lie stays on this machine.
    """
    note_sources(plan)
    made = documents(checkpoint) if callable(documents) else documents or {}
    for name, content in {"recipe.json": portable_recipe(plan).to_json().encode(), **made}.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ExportError(
                "The document {name!r} would lie outside of {folder}; rename the source it is of.",
                name=name,
                folder=folder.name,
            )
        write_whole(path, content)
    write_manifest(folder, checkpoint)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
