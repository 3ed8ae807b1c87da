"""Weights in eight bits, as files of the trade hold them: which value a stored one stands for.

    plain      a float8 is its own value: e4m3 and e5m2 both widen to float16 without rounding
    scaled     a float8 times the number beside it: MODULE.scale_weight, or MODULE.weight_scale, one for the tensor

What else lies beside them (`scaled_fp8`, scales of inputs, `comfy_quant`) says how to compute with them, and nothing
of the weights.
"""

from __future__ import annotations

import math

import torch

from pipelines.errors import SourceError

from .tensor_file import FP8_DTYPES, TensorFile

WIDENED = "F16"  # what components count eight bits as
_WEIGHT = ".weight"
_SCALES = (".scale_weight", ".weight_scale")
_BESIDE = (*_SCALES, ".scale_input", ".input_scale", ".comfy_quant")
_MARK = "scaled_fp8"


def weight_keys(file: TensorFile) -> list[str]:
    """List the keys of a file that are weights: all, where it has no float8."""
    if not any(code in FP8_DTYPES for _, code in file.tensors.values()):
        return list(file.tensors)
    return [key for key in file.tensors if not key.endswith(_BESIDE) and key.rpartition(".")[2] != _MARK]


def scale_key(file: TensorFile, key: str) -> str | None:
    """Return the key of the number that a float8 tensor is multiplied by; `None` where it is plain.

    Raises:
        SourceError: there are several numbers for one tensor.
    """
    if not key.endswith(_WEIGHT):
        return None
    stem = key.removesuffix(_WEIGHT)
    found = next((stem + ending for ending in _SCALES if stem + ending in file.tensors), None)
    if found and math.prod(file.tensors[found][0]) != 1:
        raise SourceError(
            "{path}: {found} has shape {shape}. Expected one scale for the whole tensor; "
            "use the checkpoint in fp16, bf16 or fp32 that this one was made from.",
            path=file.path,
            found=found,
            shape=list(file.tensors[found][0]),
        )
    return found


def unpacked(file: TensorFile, values: torch.Tensor, scale: str | None) -> torch.Tensor:
    """Return what float8 values stand for, in float32; `scale` is the key of what they are multiplied by."""
    exact = values.float()
    return exact if scale is None else exact.mul_(file.read(scale).float().reshape(()))
