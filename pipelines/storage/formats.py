"""File formats by their names: endings of files, codes of dtypes. Whoever needs no more than that needs no torch."""

from __future__ import annotations

#: safetensors' codes of the floating-point dtypes that are read; the last two are widened then.
FLOAT_CODES = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
PICKLE_SUFFIXES = (".ckpt", ".pt", ".bin")
