"""File formats by their names: endings of files, codes of dtypes. Whoever needs no more than that needs no torch."""

from __future__ import annotations

FLOAT_CODES = frozenset({"F64", "F32", "F16", "BF16"})  # safetensors' codes of the floating-point dtypes that are read
PICKLE_SUFFIXES = (".ckpt", ".pt", ".bin")
