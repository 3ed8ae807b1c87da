"""Export of a recipe as a LoRA against a base: a truncated singular value decomposition of each layer's difference.

The keys are kohya's, over SGM's modules, as A1111, ComfyUI and diffusers load them. What of the difference no such
file can hold (norms, biases, embeddings), and what the rank cuts off, is measured and said: the relative error of a
component is the norm of `child - base - LoRA` over that of `child - base`, with the factors rounded as they are stored.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from pipelines.architectures.detection import refuse_mixing
from pipelines.architectures.keys import TEXT_ENCODERS
from pipelines.architectures.sdxl_single_file import PREFIXES, to_single_file
from pipelines.checkpoints.component import first_difference
from pipelines.checkpoints.sources import Source
from pipelines.errors import ExportError, SourceError
from pipelines.storage.files import write_whole
from pipelines.storage.finite import is_finite
from pipelines.weaving.plan import Plan

from .drafts import atomic_outputs, refuse_existing, refuse_in_sources
from .export import SINGLE_FILE_SUFFIX, Progress, about_folder
from .manifest import write_manifest

LORA_KEY = "m2n2_lora"  # in the header: rank, base and the error that it makes
DEFAULT_RANK = 32
MOST_RANK = 1024
_PARTS = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
_OVERSAMPLED = 16  # further directions that are looked for, so that those that are kept are found well
_ITERATIONS = 4  # passes that sharpen them
_SEED = 0


@dataclass(frozen=True)
class LoraError:
    """How well a LoRA holds one component of a child.

    Attributes:
        component: its name.
        relative_error: norm of `child - base - LoRA` over the norm of `child - base`.
        out_of_reach: the same with a LoRA of full rank: what norms, biases and embeddings differ.
        layers: how many layers the file changes.
    """

    component: str
    relative_error: float
    out_of_reach: float
    layers: int


@dataclass(frozen=True)
class ExtractedLora:
    """A LoRA that was made, and how well it holds the child.

    Attributes:
        tensors: the file's keys and factors.
        errors: one for each component that differs from the base's.
    """

    tensors: Mapping[str, torch.Tensor]
    errors: tuple[LoraError, ...]


def extract_lora(
    plan: Plan,
    base: Source,
    *,
    rank: int = DEFAULT_RANK,
    dtype: torch.dtype = torch.float16,
    progress: Progress | None = None,
) -> ExtractedLora:
    """Decompose what a recipe makes of a base, a tensor at a time.

    Args:
        plan: the child; it is woven in float32, whatever its own precision.
        base: what the LoRA will be put on.
        rank: the most that a layer's factors have in common.
        dtype: of the factors.
        progress: told (bytes of weights seen, bytes in all); raise in it to give up.

    Raises:
        ExportError: a rank out of range, a base of another kind, or no difference from it.
        RecipeError: the recipe does not fit the sources.
    """
    if not 1 <= rank <= MOST_RANK:
        raise ExportError(
            "The rank of a LoRA is {rank}. Expected 1 to {most_rank}; 32 or 64 are usual.",
            rank=rank,
            most_rank=MOST_RANK,
        )
    exact = Plan(plan.recipe, plan.sources, dtype=torch.float32)
    parts = _comparable_parts(exact, base)
    total = sum(4 * tensor.size for part in parts for tensor in exact.tensor_plans(part))
    done, tensors, errors = 0, dict[str, torch.Tensor](), []
    for part in parts:
        names = _layer_names(part, exact)
        whole = missed = unreachable = 0.0
        layers = 0
        for planned in exact.tensor_plans(part):
            if planned.dtype.is_floating_point and planned.name in base.components[part].tensors:
                before = torch.empty(planned.size)
                base.components[part].fill(planned.name, 0, before)
                delta = exact.build_tensor(planned).reshape(-1) - before
                square = _square(delta)
                whole += square
                if planned.name in names and square:
                    down, up = _factors(delta.reshape(planned.shape), rank, dtype)
                    missed += _square(
                        delta.reshape(planned.shape[0], -1) - up.flatten(1).float() @ down.flatten(1).float()
                    )
                    stem = names[planned.name]
                    tensors[f"{stem}.lora_down.weight"], tensors[f"{stem}.lora_up.weight"] = down, up
                    tensors[f"{stem}.alpha"] = torch.tensor(float(down.shape[0]), dtype=dtype)
                    layers += 1
                else:
                    missed, unreachable = missed + square, unreachable + square
            done += 4 * planned.size
            if progress:
                progress(done, total)
        if whole:
            errors.append(LoraError(part, math.sqrt(missed / whole), math.sqrt(unreachable / whole), layers))
    if not tensors:
        raise ExportError(
            "The merge and {base} have the same layers, so a LoRA would hold nothing. Expected another base: the "
            "checkpoint that people have, and that the merge differs from.",
            base=base.name,
        )
    return ExtractedLora(tensors, tuple(errors))


def export_lora(
    plan: Plan,
    base: Source,
    target: str | Path,
    *,
    rank: int = DEFAULT_RANK,
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
    documents: Callable[[Path, tuple[LoraError, ...]], Mapping[str, bytes]] | None = None,
    progress: Progress | None = None,
) -> tuple[LoraError, ...]:
    """Write a recipe as a LoRA against a base.

    Args:
        plan: the child.
        base: what the LoRA will be put on.
        target: the file to make; must not exist.
        rank: the most that a layer's factors have in common.
        dtype: of the factors.
        metadata: for the header, beside rank, base and errors.
        documents: makes the files for `about_folder(target)`, given the unfinished file and the errors.
        progress: told (bytes of weights seen, bytes in all); raise in it to give up.

    Returns:
        How well the file holds each component.

    Raises:
        DiskError: the disk has not got the room.
        ExportError: see `extract_lora`; the target is taken or is no `.safetensors`, or the disk cannot be written.
        RecipeError: the recipe does not fit the sources.
    """
    path = Path(os.path.expanduser(target))
    if path.suffix != SINGLE_FILE_SUFFIX:
        raise ExportError(
            "{path} is no name for a LoRA. Expected one that ends in {suffix}.", path=path, suffix=SINGLE_FILE_SUFFIX
        )
    targets = [path] if documents is None else [path, about_folder(path)]
    refuse_existing(targets)
    refuse_in_sources(targets, [*plan.sources.values(), base])
    lora = extract_lora(plan, base, rank=rank, dtype=dtype, progress=progress)
    size = sum(tensor.nbytes for tensor in lora.tensors.values())
    with atomic_outputs(*targets, size=size) as unfinished:
        save_file(dict(lora.tensors), unfinished[0], {**(metadata or {}), **_header(base, rank, lora.errors)})
        if documents is not None:
            for name, content in documents(unfinished[0], lora.errors).items():
                place = unfinished[1] / name
                if not place.resolve().is_relative_to(unfinished[1].resolve()):
                    raise ExportError(
                        "The document {name!r} would lie outside of {folder}.", name=name, folder=unfinished[1].name
                    )
                write_whole(place, content)
            write_manifest(unfinished[1], unfinished[0])
    return lora.errors


def lora_size(plan: Plan, rank: int, dtype: torch.dtype = torch.float16) -> int:
    """Return the most bytes that the factors of a LoRA take."""
    size = 0
    for part in _PARTS:
        names = _layer_names(part, plan)
        for planned in plan.tensor_plans(part):
            if planned.name in names:
                height, width = planned.shape[0], planned.size // planned.shape[0]
                size += min(rank, height, width) * (height + width) * dtype.itemsize
    return size


def _comparable_parts(plan: Plan, base: Source) -> list[str]:
    """Return the components to compare; refuse a base that the child cannot be a change of."""
    child = plan.lender("unet")
    refuse_mixing({"the merge": child.architecture, f"the base {base.name}": base.architecture})
    parts = [part for part in _PARTS if part in base.components and plan.lender(part).lends(part)]
    for part in parts:
        problem = first_difference(base.components[part], plan.lender(part).components[part])
        if problem and part in TEXT_ENCODERS:
            raise ExportError(
                "{part} of the merge is another network than {base}'s: {problem} A LoRA cannot hold that. "
                "Expected the same text encoders: make {base} the host, or export the whole checkpoint.",
                part=part,
                base=base.name,
                problem=problem,
            )
        if problem:
            raise ExportError(
                "The merge is no change of {base}: {problem} Expected a base of the same architecture.",
                base=base.name,
                problem=problem,
            )
    return parts


def _layer_names(part: str, plan: Plan) -> dict[str, str]:
    """Return kohya's name of each layer that a LoRA can change, by its weight's canonical name.

    These are linear layers and convolutions; embeddings and CLIP-G's projection are read by some loaders alone.
    """
    shapes = {tensor.name: tensor.shape for tensor in plan.tensor_plans(part)}
    names = {name: name for name in shapes}
    if part == "unet":
        try:
            names = {
                tensor.parts[0]: tensor.key.removeprefix(PREFIXES[part]) for tensor in to_single_file(part, shapes)
            }
        except SourceError as error:
            raise ExportError("A LoRA cannot name the layers of this UNet: {error}", error=error) from error
    return {
        name: _PARTS[part] + file_name.removesuffix(".weight").replace(".", "_")
        for name, file_name in names.items()
        if name.endswith(".weight")
        and len(shapes[name]) > 1
        and ".embeddings." not in name
        and not name.startswith("text_projection.")
    }


def _factors(delta: torch.Tensor, rank: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the two factors of the best approximation of a layer's difference: [r, in, *kernel] and [out, r, 1, 1]."""
    matrix = delta.reshape(delta.shape[0], -1)
    least = min(matrix.shape)
    if 2 * (rank + _OVERSAMPLED) >= least:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        right = right.t()
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            left, values, right = torch.svd_lowrank(matrix, rank + _OVERSAMPLED, niter=_ITERATIONS)
    kept = min(rank, least)
    root = values[:kept].sqrt()
    down = (right[:, :kept] * root).t().contiguous().to(dtype).reshape(kept, *delta.shape[1:])
    up = (left[:, :kept] * root).contiguous().to(dtype).reshape(delta.shape[0], kept, *(1 for _ in delta.shape[2:]))
    if not (is_finite(down) and is_finite(up)):
        raise ExportError(
            "The factors of a LoRA overflow {dtype}. Expected a merge near its base; export as fp32.", dtype=dtype
        )
    return down, up


def _square(values: torch.Tensor) -> float:
    """Return the sum of squares, added up in float64."""
    return float(values.double().square().sum())


def _header(base: Source, rank: int, errors: tuple[LoraError, ...]) -> dict[str, str]:
    """Return what the file says of itself: to us, and to programs that look for kohya's keys."""
    about: dict[str, Any] = {
        "base": {
            "name": base.name,
            "sha256": {error.component: base.components[error.component].sha256 for error in errors},
        },
        "rank": rank,
        "relative_error": {error.component: error.relative_error for error in errors},
        "out_of_reach": {error.component: error.out_of_reach for error in errors},
    }
    return {
        LORA_KEY: json.dumps(about, ensure_ascii=False),
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(float(rank)),
        "ss_base_model_version": "sdxl_base_v1-0",
    }
