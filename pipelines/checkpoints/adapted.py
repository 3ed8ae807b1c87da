"""Adapters on a base: a source "base + scale x change", baked while weaving.

The change of a tensor is computed for the rows that a block asks for and never kept, so a base with adapters takes no
more memory than the base. It has the same bits in blocks of any size, on every machine (`adapters.arithmetic`), and is
rounded once, to float32. So preview and export, which cut tensors into different blocks, hold the same weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.adapters.change import TensorChange
from pipelines.adapters.reading import Adapter, read_adapter
from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile
from pipelines.storage.tensor_ref import tensor_ref

from .component import Component
from .contents import CheckpointContents

_KEPT = 4  # tensors whose prepared parts are kept: neighbouring blocks are woven at the same time


@dataclass(frozen=True, eq=False)
class AppliedAdapter:
    """A LoRA, or one of its kin, on a checkpoint.

    Attributes:
        adapter: what it changes, and what of it the checkpoint has no use for.
        scale: how much of the change is added; 1 is what was trained.
    """

    adapter: Adapter
    scale: float

    @property
    def path(self) -> Path:
        """Its file."""
        return self.adapter.file.path

    @property
    def parts(self) -> tuple[str, ...]:
        """The components that it changes."""
        return tuple(self.adapter.changes)


class AdaptedComponent(Component):
    """A component of the base with an adapter on some of its tensors.

    Attributes:
        applied: the adapter and its scale.
        base: the component under it, which may hold an adapter already.
    """

    def __init__(self, base: Component, applied: AppliedAdapter) -> None:
        """Put an adapter on a component.

        Args:
            base: the component.
            applied: what changes it, at least one of its tensors.

        Raises:
            SourceError: a dtype that cannot be merged.
        """
        super().__init__(base.name, f"{base.place} + {applied.scale!r} * {applied.path}", base.tensors)
        self.applied = applied
        self.base = base
        self._adapter = applied.adapter.file
        self._scale = applied.scale
        changes = applied.adapter.changes[base.name]
        self._changes = {name: changes[name] for name in self.tensors if name in changes}
        self._prepared: dict[tuple[str, torch.device], Any] = {}
        self._lock = threading.Lock()
        refs = {
            f"{name}.{role}": tensor_ref(self._adapter, key, self._adapter.tensors[key][0])
            for name, change in changes.items()
            for role, key in change.keys.items()
        }
        self._factors = Component(base.name, str(applied.path), refs)

    @property
    def files(self) -> tuple[TensorFile, ...]:
        """The files that hold it: the base's and the adapter."""
        return (*self.base.files, self._adapter)

    def read_elements(self, name: str, start: int, stop: int, *, scratch: torch.Tensor | None = None) -> torch.Tensor:
        """Return elements of a flattened tensor: base plus change, added in float32 and rounded once.

        Raises:
            SourceError: the sum overflows that dtype, or a file cannot be read any more.
        """
        stored = self.base.read_elements(name, start, stop, scratch=scratch)
        if name not in self._changes:
            return stored
        rounded = (stored.float() + self._delta(name, start, stop, stored.device)).to(stored.dtype)
        if not bool(torch.isfinite(rounded).all()):
            raise SourceError(
                "{place}: tensor {name} overflows {dtype}. Expected an adapter that changes weights a "
                "little; use a scale smaller than {scale}.",
                place=self.place,
                name=name,
                dtype=stored.dtype,
                scale=self._scale,
            )
        return rounded

    def fill(self, name: str, start: int, out: torch.Tensor, *, scratch: torch.Tensor | None = None) -> None:
        """Copy elements `start` to `start + len(out)` of base plus change into `out`, float32 [n] on any device."""
        self.base.fill(name, start, out, scratch=scratch)
        if name in self._changes:
            out.add_(self._delta(name, start, start + out.numel(), out.device))

    def keep_on(self, device: torch.device) -> None:
        """Keep what is read of the base in the memory of `device`; the change is computed there."""
        self.base.keep_on(device)

    @property
    def keeping(self) -> object | None:
        """The base's."""
        return self.base.keeping

    def kept_on(self, name: str, device: torch.device) -> torch.Tensor | None:
        """Return a flattened tensor of the base that has no change, where it is kept; see the base's."""
        return None if name in self._changes else self.base.kept_on(name, device)

    @property
    def is_hashed(self) -> bool:
        """Whether the hashes of the base and of the adapter are known already."""
        return self.base.is_hashed and self._factors.is_hashed

    def compute_sha256(self, progress: Callable[[int], None] | None = None, *, reread: bool = False) -> str:
        """Compute what tells these weights from others: SHA-256 of `{base's sha256}+{scale!r}*{adapter's}`, in hex.

        The adapter's is over a line `name identity` for each tensor that it changes, in canonical order, and the hex
        SHA-256 over the raw bytes of their factors in that order. The identity of plain LoRA is alpha / rank. So no
        tensor has to be computed to be named, and the same LoRA in kohya's and in diffusers' naming is the same.

        Args:
            progress: told how many more bytes of the base have been read; may raise to stop.
            reread: whether every byte is read, whatever the cache knows of these files.

        Raises:
            SourceError: the base or the adapter holds NaN or infinity.
        """
        lines = "".join(f"{name} {change.identity}\n" for name, change in self._changes.items())
        adapter = hashlib.sha256((lines + self._factors.compute_sha256(reread=reread)).encode()).hexdigest()
        base = self.base.compute_sha256(progress, reread=reread)
        return hashlib.sha256(f"{base}+{self._scale!r}*{adapter}".encode()).hexdigest()

    def _delta(self, name: str, start: int, stop: int, device: torch.device) -> torch.Tensor:
        """Return what is added to elements `start` to `stop` of a flattened tensor: float32 [stop - start]."""
        change = self._changes[name]
        columns = change.columns
        first, last = start // columns, -(-stop // columns)
        work = device if device.type == "cuda" else torch.device("cpu")  # not every accelerator has float64

        def base_rows(begin: int, end: int) -> torch.Tensor:
            rows = torch.empty((end - begin) * columns, device=device)
            self.base.fill(name, begin * columns, rows)
            return rows.to(work, torch.float64).reshape(end - begin, columns)

        prepared = self._prepare(name, change, base_rows, work)
        rows = change.rows(first, last, base_rows, prepared, work).reshape(-1)
        wanted = rows[start - first * columns : stop - first * columns]
        return (wanted * (self._scale * change.ratio)).to(torch.float32).to(device)

    def _prepare(
        self, name: str, change: TensorChange, base_rows: Callable[[int, int], torch.Tensor], device: torch.device
    ) -> Any:
        """Return what the rows of a change have in common, from memory if it was asked for lately."""
        key = name, device
        with self._lock:
            if key in self._prepared:
                return self._prepared[key]
        prepared = change.prepare(base_rows, device)
        with self._lock:
            self._prepared[key] = prepared
            while len(self._prepared) > _KEPT:
                del self._prepared[next(iter(self._prepared))]
        return prepared


def with_adapter(
    base: CheckpointContents, path: Path, scale: float, *, parts: Collection[str] | None = None
) -> CheckpointContents:
    """Return a checkpoint with an adapter on it.

    Args:
        base: the checkpoint; components that the adapter does not change stay as they are, hash and all.
        path: a `.safetensors` LoRA or one of its kin, in any tool's naming.
        scale: how much of it is added.
        parts: the components to which it is added; all that it changes if left out.

    Raises:
        SourceError: no adapter, a kind that is not baked, one for another base, or one that changes none of the parts.
    """
    shapes = {
        part: {name: ref.shape for name, ref in component.tensors.items()}
        for part, component in base.components.items()
    }
    adapter = read_adapter(TensorFile(path), shapes)
    if parts is not None:
        kept = {part: changes for part, changes in adapter.changes.items() if part in parts}
        if not kept:
            raise SourceError(
                "{path} changes {changed} of its base, and none of {parts}. Expected a "
                "part that it changes: leave out the word before '*'.",
                path=path,
                changed=", ".join(adapter.changes),
                parts=", ".join(parts),
            )
        absent = tuple(part for part in adapter.absent if part in parts)
        adapter = dataclasses.replace(adapter, changes=kept, absent=absent)
    applied = AppliedAdapter(adapter, scale)
    components = {
        part: AdaptedComponent(component, applied) if part in applied.parts else component
        for part, component in base.components.items()
    }
    return dataclasses.replace(base, components=components)


def applied_adapters(components: Iterable[Component]) -> list[AppliedAdapter]:
    """List the adapters on the components of a checkpoint, each once, in the order in which they were put there."""
    found: dict[AppliedAdapter, None] = {}
    for component in components:
        chain = []
        while isinstance(component, AdaptedComponent):
            chain.append(component.applied)
            component = component.base
        found |= dict.fromkeys(reversed(chain))
    return list(found)
