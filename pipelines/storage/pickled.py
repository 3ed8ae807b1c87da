"""Pickled checkpoints (`.ckpt`, `.pt`, `.bin`): read as weights only, and turned into safetensors once.

A pickle is a program. torch's weights-only reader runs none of it beyond building tensors and plain values; a file that
asks for anything else is refused, by the name of what it asks for. What comes out is kept in the cache as a safetensors
file, so that from then on a pickled checkpoint is like any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from pipelines.errors import Phrase, SourceError

from .disk_space import check_room
from .files import cache_dir
from .tensor_file import DTYPE_CODES
from .unfinished import unfinished_folder
from .unreadable_files import what_it_is

_NESTS = ("state_dict", "model_state_dict", "checkpoint", "model", "module", "ema")  # the first that holds tensors
_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")  # of a pipeline, a dictionary each
_DEEPEST = 4
_ZIP = b"PK\x03\x04"
_SENTENCE = re.compile(r"\. |\n")  # torch goes on with advice that is none
_REFUSED = re.compile(r"GLOBAL (\S+)")  # how torch's message names what it does not let in


def as_safetensors(path: Path) -> Path:
    """Convert a pickled checkpoint to a safetensors file in the cache, the first time it is asked for.

    Reading goes through a memory map and writing straight from it, so neither holds more than a few tensors in memory;
    files older than torch 1.6 cannot be mapped and are read whole.

    Args:
        path: a `.ckpt`, `.pt` or `.bin`.

    Returns:
        The safetensors file, named after the checkpoint and a hash of its path, size and time of change.

    Raises:
        SourceError: no such file, no checkpoint, a pickle that asks for more than weights.
        DiskError: the disk of the cache has not got the room.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise SourceError(
            "{path} cannot be read ({reason}). Expected a checkpoint; check the path.", path=path, reason=error.strerror
        ) from error
    stamp = json.dumps([str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    folder = cache_dir() / "converted"
    target = folder / f"{path.stem}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.safetensors"
    if target.is_file():
        return target
    loaded = _load_tensors(path)
    for name, tensor in loaded.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in DTYPE_CODES:
            raise SourceError(
                "{path}: tensor {name} is stored as {dtype}, {layout}, on {device}. Expected "
                "dense numbers in one of {dtypes}; use the checkpoint in fp16, bf16 or fp32 "
                "that this one was made from.",
                path=path,
                name=name,
                dtype=tensor.dtype,
                layout=tensor.layout,
                device=tensor.device,
                dtypes=", ".join(DTYPE_CODES.values()),
            )
    size = sum(tensor.nbytes for tensor in loaded.values())
    if size > 2 * stat.st_size:
        raise SourceError(
            "{path} has {bytes} bytes and unpacks to {size}. Expected a file as large as its weights; it was "
            "made to fill memories: use another checkpoint.",
            path=path,
            bytes=stat.st_size,
            size=size,
        )
    check_room(folder, size, Phrase("{path} as safetensors", path=path))
    tensors = _with_own_memory(loaded)
    folder.mkdir(parents=True, exist_ok=True)
    with unfinished_folder(target) as unfinished:
        save_file(tensors, unfinished / target.name, metadata={"format": "pt"})
        os.replace(unfinished / target.name, target)
    return target


def _load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a pickled file by name; other values in it, such as a number of steps, are left out."""
    other = what_it_is(path)
    if other and "pickled" not in other:
        raise SourceError(
            "{path} cannot be read as a checkpoint. Expected a file written by torch.save, {other}.",
            path=path,
            other=other,
        )
    try:
        with open(path, "rb") as file:
            mappable = file.read(len(_ZIP)) == _ZIP
        with warnings.catch_warnings():  # torch warns of TorchScript before it refuses it
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mappable)
    except pickle.UnpicklingError as error:
        raise _refusal_error(path, error) from None
    except Exception as error:  # torch reports damage by whatever its reader stumbles over
        reason = f"{type(error).__name__}: {_SENTENCE.split(str(error))[0]}"
        raise SourceError(
            "{path} cannot be read as a checkpoint ({reason}). Expected a whole file written by torch.save; it may be "
            "another kind of file, or cut short. Use the .safetensors version if there is one.",
            path=path,
            reason=reason,
        ) from error
    tensors = _named_tensors(content)
    if not tensors:
        raise SourceError(
            "{path} holds no weights, but a {kind}. Expected tensors by name, alone or in "
            "dictionaries such as 'state_dict'; use the checkpoint itself, as .safetensors if there is one.",
            path=path,
            kind=type(content).__name__,
        )
    return tensors


def _refusal_error(path: Path, error: pickle.UnpicklingError) -> SourceError:
    """Return the error that says why the weights-only reader stopped, without its advice to turn it off."""
    refused = _REFUSED.search(str(error))
    if refused is None:
        return SourceError(
            "{path} cannot be read as weights only. Expected a file written by torch.save; it may be another kind of "
            "file, or damaged: use the .safetensors version.",
            path=path,
        )
    return SourceError(
        "{path} asks for {name!r} when it is opened. Expected weights and nothing else, as a pickle can run any "
        "program; none of it was run. Use the .safetensors version, or another checkpoint.",
        path=path,
        name=refused[1],
    )


def _named_tensors(content: object, depth: int = 0) -> dict[str, torch.Tensor]:
    """Return the tensors of a pickled value by name; trainers put them into dictionaries of dictionaries."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return {}
    for key in _NESTS:
        if found := _named_tensors(content.get(key), depth + 1):
            return found
    tensors = _tensors(content)
    if tensors:
        return tensors
    return {
        f"{part}.{name}": tensor
        for part in _PARTS
        for name, tensor in _named_tensors(content.get(part), depth + 1).items()
    }


def _tensors(content: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors among the values of a pickled mapping, those with a name."""
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    return {name: tensor.detach() for name, tensor in tensors.items() if isinstance(name, str)}


def _with_own_memory(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return `tensors` as safetensors can hold them: contiguous, each with memory of its own."""
    owned = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        shared = storage.data_ptr() in taken or storage.nbytes() != tensor.nbytes
        owned[name] = tensor.contiguous().clone() if shared else tensor.contiguous()
        taken.add(storage.data_ptr())
    return owned
