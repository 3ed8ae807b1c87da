"""A single file as a checkpoint: whole, or a part alone, with the configurations that belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.adapters.foreign import FOREIGN_KINDS, looks_like
from pipelines.adapters.roles import role_of
from pipelines.architectures import sdxl
from pipelines.architectures.keys import TEXT_ENCODERS
from pipelines.architectures.sdxl_single_file import PREFIXES, FileSlice, from_single_file, unknown_keys
from pipelines.errors import Phrase, SourceError
from pipelines.storage.eight_bits import weight_keys
from pipelines.storage.tensor_file import TensorFile
from pipelines.storage.tensor_ref import TensorRef, tensor_ref

from .contents import (
    KNOWN_INDEX,
    TOKENIZERS,
    CheckpointContents,
    make_components,
    refuse_unusable,
    without_projection,
)
from .weight_files import read_json
from .widened import FIRST_CONVOLUTION

_OTHER_CHECKPOINT = Phrase("a checkpoint or an adapter of FLUX, Stable Diffusion 3 or another transformer")


def read_single_file(path: Path, *, lies_at: Path | None = None) -> CheckpointContents:
    """Open a `.safetensors` by its header: a whole checkpoint, or a UNet, a VAE or a text encoder alone.

    Configurations and tokenizers are those that were exported with it, or of the folder it lies in, where that is a
    diffusers folder, else SDXL's.

    Args:
        path: the file.
        lies_at: the file that it was converted from, beside which its configurations lie; itself if left out.

    Raises:
        SourceError: a damaged file, or one with no component of SDXL in it; says what it looks like.
    """
    file = TensorFile(path)
    lies_at = lies_at or path
    shapes = {key: file.tensors[key][0] for key in weight_keys(file)}
    if not any(key.startswith(PREFIXES["unet"]) for key in shapes):
        _refuse_adapter(lies_at, shapes)
        foreign = looks_like(shapes)
        if foreign and foreign[0] is not FOREIGN_KINDS[-1]:  # the last is a checkpoint
            _refuse_foreign(lies_at, shapes)
    slices = from_single_file(shapes)
    if not slices:
        _refuse_foreign(lies_at, shapes)
    components, unusable = make_components(
        {part: (f"{part} of {lies_at}", _references(file, part, named)) for part, named in slices.items()}
    )
    refuse_unusable(components, unusable)
    home, has_configs = _home(lies_at)
    has_text_encoders = all(part in components for part in TEXT_ENCODERS)
    return CheckpointContents(
        components=components,
        index=read_json(home / KNOWN_INDEX),
        configs={part: _config(part, home, lies_at, slices) for part in slices}
        | {"scheduler": read_json(home / "scheduler" / "scheduler_config.json")},
        tokenizers={part: home / part for part in TOKENIZERS} if has_text_encoders else {},
        keys=frozenset(file.tensors),
        metadata=file.metadata,
        strange_keys=tuple(unknown_keys(shapes, slices)),
        unusable=unusable,
        has_configs=has_configs,
    )


def _references(file: TensorFile, part: str, slices: Mapping[str, FileSlice]) -> dict[str, TensorRef]:
    return without_projection(
        part,
        {
            name: tensor_ref(file, one.key, one.shape, rows=one.rows, transposed=one.transposed)
            for name, one in slices.items()
        },
    )


def _home(path: Path) -> tuple[Path, bool]:
    """Return the folder whose configurations and tokenizers a file has, and whether they are its own.

    What was exported from a file without any has SDXL's beside it, and they are as little its own.
    """
    candidates = (path.with_suffix(".about") / "config", path.parent)
    home = next((folder for folder in candidates if (folder / KNOWN_INDEX).is_file()), None)
    return (home, home == path.parent or not _is_published(home)) if home else (sdxl.cached_folder(), False)


def _is_published(home: Path) -> bool:
    """Return whether the configuration of the UNet in a folder is the one that SDXL was published with."""
    file = home / "unet" / "config.json"
    config = read_json(file) if file.is_file() else {}
    return all(config.get(key) == value for key, value in sdxl.CONFIGS["unet"].items())


def _config(part: str, home: Path, path: Path, slices: Mapping[str, Mapping[str, FileSlice]]) -> dict[str, Any]:
    """Return a component's configuration; that of a part alone may lie beside it, as in its own repository.

    A UNet that edits pictures has the configuration of one that does not but for the channels that it reads.
    """
    beside = path.parent / "config.json"
    if len(slices) == 1 and not (path.parent / KNOWN_INDEX).is_file() and beside.is_file():
        own = read_json(beside)
        if own.get("_class_name") == sdxl.CONFIGS[part].get("_class_name", ""):
            return own
    config = read_json(home / part / "config.json")
    first = slices[part].get(FIRST_CONVOLUTION) if part == "unet" else None
    return config | {"in_channels": first.shape[1]} if first and len(first.shape) > 1 else config


def _refuse_adapter(path: Path, keys: Iterable[str]) -> None:
    """Refuse a file most of whose keys are an adapter's."""
    listed = list(keys)
    example = next((key for key in listed if role_of(key)), None)
    if example and 2 * sum(role_of(key) is not None for key in listed) > len(listed):
        raise SourceError(
            "{path} is an adapter, LoRA or its kin, with keys such as {example!r}. Expected a checkpoint; a LoRA goes "
            "with its base: 'BASE + 0.8 * {name}'.",
            path=path,
            example=example,
            name=path.name,
        )


def _refuse_foreign(path: Path, keys: Iterable[str]) -> None:
    """Refuse a file in which there is no component of SDXL, and say what it looks like."""
    listed = list(keys)
    expected = Phrase(
        "Expected an SDXL checkpoint with keys such as {prefix}input_blocks.0.0.weight, or its UNet, VAE or "
        "a text encoder of it alone",
        prefix=PREFIXES["unet"],
    )
    if foreign := looks_like(listed):
        kind, key = foreign
        name = _OTHER_CHECKPOINT if "transformer" in kind.name else kind.name
        remedy = Phrase("only SDXL is merged") if "transformer" in kind.name else kind.remedy
        raise SourceError(
            "{path} looks like {name}, with keys such as {key!r}. {expected}; {remedy}.",
            path=path,
            name=name,
            key=key,
            expected=expected,
            remedy=remedy,
        )
    shown = Phrase("its keys are such as {key!r}", key=listed[0]) if listed else Phrase("it holds no tensor at all")
    raise SourceError("{path} holds no part of SDXL; {shown}. {expected}.", path=path, shown=shown, expected=expected)
