"""A safetensors file as a source of tensors: checked when it is opened, memory-mapped when it is read."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from pipelines.errors import SourceError

TORCH_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
}
DTYPE_CODES = {dtype: code for code, dtype in TORCH_DTYPES.items()}
MOST_HEADER = 32 << 20  # bytes; SDXL has 300 kB, and what trainers note beside it some megabytes
CAN_READ_INTO = hasattr(os, "preadv")  # False on Windows
FLOAT_CODES = frozenset(code for code, dtype in TORCH_DTYPES.items() if dtype.is_floating_point)


class TensorFile:
    """An open safetensors file; its values are read only when asked for.

    Attributes:
        path: where it lies.
        tensors: key to (shape, safetensors dtype such as "F16").
        metadata: the header's `__metadata__`, strings to strings.
    """

    def __init__(self, path: Path) -> None:
        """Open a file and check its header.

        Raises:
            SourceError: no regular file, a damaged header, offsets that overlap or leave holes, a key twice.
        """
        self.path = path
        if not path.is_file():
            found = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "nothing there"
            raise SourceError(f"{path}: expected a safetensors file, found {found}. Check the path, or fetch it again.")
        try:
            _check_header_size(path)
            self._handle = safe_open(path, framework="pt", device="cpu")
            self._descriptor = os.open(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._descriptor)
            views = {key: self._handle.get_slice(key) for key in self._handle.keys()}  # noqa: SIM118  (no mapping)
            self.tensors: Mapping[str, tuple[tuple[int, ...], str]] = {
                key: (tuple(view.get_shape()), view.get_dtype()) for key, view in views.items()
            }
            self.metadata: Mapping[str, str] = self._handle.metadata() or {}
            twice, self._offsets = _header(path)
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise SourceError(
                f"{path} cannot be read as safetensors ({error}). Expected a complete file; "
                "it may be truncated or still downloading: fetch it again."
            ) from error
        if twice is not None:
            raise SourceError(
                f"{path} names the key {twice!r} twice in its header. Expected every key once; readers would "
                "disagree about its contents: fetch it again from its author."
            )

    def read(self, key: str) -> torch.Tensor:
        """Return a tensor in its stored dtype and shape; memory-mapped, so only the pages that are touched are read."""
        tensor: torch.Tensor = self._handle.get_tensor(key)
        return tensor

    def read_into(self, key: str, start: int, memory: torch.Tensor) -> None:
        """Fill `memory`, uint8 [n], with a tensor's bytes from `start` on, past the memory map.

        For bytes that are wanted once, beside a file that is written: to make room for it, the system has to unmap
        every page that came through the map. Only where `CAN_READ_INTO`.

        Raises:
            SourceError: the file has become shorter since it was opened.
        """
        position, rest = self._offsets[key] + start, memoryview(memory.numpy().data)
        while rest:  # a read may give less than it is asked for
            count = os.preadv(self._descriptor, [rest], position)
            if not count:
                raise SourceError(
                    f"{self.path} now ends inside its tensor {key}. Expected the file that was opened, found a shorter "
                    "one: another program is writing it. Try again once it is whole."
                )
            position, rest = position + count, rest[count:]

    @property
    def stamp(self) -> tuple[str, int, int]:
        """What tells this file from another, short of reading it: real path, bytes, time of change in nanoseconds."""
        stat = self.path.stat()
        return str(self.path.resolve()), stat.st_size, stat.st_mtime_ns


def _check_header_size(path: Path) -> None:
    """Refuse a header before anything is allocated for it."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise ValueError(f"a header of {length} bytes, more than {MOST_HEADER >> 20} MiB")


def _header(path: Path) -> tuple[str | None, dict[str, int]]:
    """Read a header.

    Returns:
        A key that it holds twice, where safetensors itself lets the last one win, or `None`; and by key the position
        of each tensor in the file, in bytes.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")  # safe_open has checked it
        header = file.read(length)
    repeated: list[str] = []

    def note_repeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        if len(content) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated.extend(key for key in content if keys.count(key) > 1)
        return content

    entries = json.loads(header, object_pairs_hook=note_repeated)
    offsets = {key: 8 + length + entry["data_offsets"][0] for key, entry in entries.items() if key != "__metadata__"}
    return repeated[0] if repeated else None, offsets
