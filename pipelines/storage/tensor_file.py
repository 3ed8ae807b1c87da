"""A safetensors file as a source of tensors: checked when it is opened, read from its descriptor.

Values never come through a memory map: a file that another program cuts short would end the process (SIGBUS), which no
program can catch in Python.
"""

from __future__ import annotations

import json
import math
import os
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from pipelines.errors import SourceError

from .files import FileStamp, file_stamp
from .unreadable_files import why_no_tensors

TORCH_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
}
FP8_DTYPES = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}  # read widened, written when asked for
_STORED_DTYPES = TORCH_DTYPES | FP8_DTYPES
DTYPE_CODES = {dtype: code for code, dtype in _STORED_DTYPES.items()}
MOST_HEADER = 32 << 20  # bytes; SDXL has 300 kB, and what trainers note beside it some megabytes
# False on Windows, which goes through safetensors' map: a file that is mapped there cannot be cut.
CAN_READ_INTO = hasattr(os, "preadv")


class TensorFile:
    """An open safetensors file; its values are read only when asked for.

    Attributes:
        path: where it lies.
        tensors: key to (shape, safetensors dtype such as "F16").
        metadata: the header's `__metadata__`, strings to strings.
        stamp: what the file was when it was opened.
    """

    def __init__(self, path: Path) -> None:
        """Open a file and check its header.

        Raises:
            SourceError: no regular file, a damaged header, offsets that overlap or leave holes, a key twice.
        """
        self.path = path
        if not path.is_file():
            found = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "nothing there"
            raise SourceError(
                "{path}: expected a safetensors file, found {found}. Check the path.", path=path, found=found
            )
        try:
            _check_header_size(path)
            self._handle = safe_open(path, framework="pt", device="cpu")
            self._descriptor = os.open(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._descriptor)
            self.stamp: FileStamp = file_stamp(path, descriptor=self._descriptor)
            views = {key: self._handle.get_slice(key) for key in self._handle.keys()}  # noqa: SIM118  (no mapping)
            self.tensors: Mapping[str, tuple[tuple[int, ...], str]] = {
                key: (tuple(view.get_shape()), view.get_dtype()) for key, view in views.items()
            }
            self.metadata: Mapping[str, str] = self._handle.metadata() or {}
            twice, self._offsets = _header(path)
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise SourceError(
                "{path} cannot be read as safetensors. Expected a complete file of it, {reason}.",
                path=path,
                reason=why_no_tensors(path, error),
            ) from error
        if twice is not None:
            raise SourceError(
                "{path} names the key {twice!r} twice in its header. Expected every key once; readers would "
                "disagree about its contents: take a copy that safetensors itself wrote.",
                path=path,
                twice=twice,
            )

    def read(self, key: str) -> torch.Tensor:
        """Return a tensor in its stored dtype and shape, in memory of its own; errors are those of `read_into`."""
        shape, code = self.tensors[key]
        if code not in _STORED_DTYPES:  # 8-bit integers, which no component takes
            small: torch.Tensor = self._handle.get_tensor(key)
            return small
        tensor = torch.empty(shape, dtype=_STORED_DTYPES[code])
        self.read_into(key, 0, tensor.reshape(-1).view(torch.uint8))
        return tensor

    def read_rows(self, key: str, first: int, last: int) -> torch.Tensor:
        """Return rows `first` to `last` of a tensor, no others read; errors are those of `read_into`."""
        shape, code = self.tensors[key]
        if code not in _STORED_DTYPES:
            return self.read(key)[first:last]
        rows = torch.empty((min(last, shape[0]) - first, *shape[1:]), dtype=_STORED_DTYPES[code])
        size = math.prod(shape[1:]) * rows.element_size()
        self.read_into(key, first * size, rows.reshape(-1).view(torch.uint8))
        return rows

    def read_into(self, key: str, start: int, memory: torch.Tensor) -> None:
        """Fill `memory`, uint8 [n], with a tensor's bytes from `start` on.

        Raises:
            SourceError: the file has become shorter since it was opened, or the disk does not give it any more.
        """
        if not CAN_READ_INTO:
            memory.copy_(self._handle.get_tensor(key).reshape(-1).view(torch.uint8)[start : start + len(memory)])
            return
        position, rest = self._offsets[key] + start, memoryview(memory.numpy().data)
        while rest:  # a read may give less than it is asked for
            try:
                count = os.preadv(self._descriptor, [rest], position)
            except OSError as error:
                raise SourceError(
                    "{path} can no longer be read ({reason}). Expected the file that was opened; see "
                    "whether its disk is still there.",
                    path=self.path,
                    reason=error.strerror,
                ) from error
            if not count:
                raise SourceError(
                    "{path} now ends inside its tensor {key}. Expected the file that was opened, found a shorter "
                    "one: another program is writing it. Try again once it is whole.",
                    path=self.path,
                    key=key,
                )
            position, rest = position + count, rest[count:]

    def check_unchanged(self) -> None:
        """Refuse to go on with a file that is not the one that was opened.

        Raises:
            SourceError: it was written to, replaced or removed since then.
        """
        try:
            now = file_stamp(self.path)
        except OSError as error:
            raise SourceError(
                "{path} is gone ({reason}) since it was opened. Expected it to stay while it is used: put it back.",
                path=self.path,
                reason=error.strerror,
            ) from error
        if not now.has_same_content(self.stamp):
            raise SourceError(
                "{path} has changed since it was opened: it had {bytes} bytes, now {now}, last "
                "written {modified}. Expected it to stay as it is while it is used: put the former back.",
                path=self.path,
                bytes=self.stamp.size,
                now=now.size,
                modified=_time(now.modified),
            )


def _time(nanoseconds: int) -> str:
    """A file's time as people write it."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).astimezone().isoformat(sep=" ", timespec="seconds")


def _check_header_size(path: Path) -> None:
    """Refuse a header before anything is allocated for it."""
    with open(path, "rb", buffering=0) as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise ValueError(f"a header of {length} bytes, more than {MOST_HEADER >> 20} MiB")


def _header(path: Path) -> tuple[str | None, dict[str, int]]:
    """Read a header.

    Returns:
        A key that it holds twice, where safetensors itself lets the last one win, or `None`; and by key the position
        of each tensor in the file, in bytes.
    """
    with open(path, "rb", buffering=0) as file:  # a buffer would read on into the tensors
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
