"""The place of a tensor in the file that holds it."""

from __future__ import annotations

from dataclasses import dataclass

from .eight_bits import WIDENED, scale_key
from .tensor_file import FP8_DTYPES, TensorFile


@dataclass(frozen=True)
class TensorRef:
    """The place of a canonical tensor in the file that holds it.

    Attributes:
        file: that file; `None` for a tensor that is computed.
        key: its key in the file.
        dtype: as it is stored, in safetensors' code such as "F16".
        shape: of the canonical tensor.
        rows: first row and exclusive end in the stored tensor, where a single file packs several into one.
        transposed: whether the file holds the transpose.
        packed: the code of the eight bits that are widened to `dtype` when they are read; `None` where none are.
        scale: the key of what they are multiplied by.
    """

    file: TensorFile | None
    key: str
    dtype: str
    shape: tuple[int, ...]
    rows: tuple[int, int] | None = None
    transposed: bool = False
    packed: str | None = None
    scale: str | None = None

    @property
    def stored(self) -> str:
        """The code of what the file holds."""
        return self.packed or self.dtype


def tensor_ref(
    file: TensorFile,
    key: str,
    shape: tuple[int, ...],
    *,
    rows: tuple[int, int] | None = None,
    transposed: bool = False,
) -> TensorRef:
    """Return the place of a tensor of a file; arguments are those of `TensorRef`.

    Raises:
        SourceError: eight bits with more than one scale.
    """
    code = file.tensors[key][1]
    if code not in FP8_DTYPES:
        return TensorRef(file, key, code, shape, rows, transposed)
    return TensorRef(file, key, WIDENED, shape, rows, transposed, packed=code, scale=scale_key(file, key))
