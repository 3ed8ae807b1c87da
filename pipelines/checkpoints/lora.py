"""LoRA: a source "base + scale x delta", baked while weaving.

The delta of a tensor is `scale * alpha / rank * up @ down`. It is computed for the rows that a block asks for and never
kept, so a base with LoRAs takes no more memory than the base.

Preview and export cut tensors into different blocks, on different machines, and matrix products there add up in
different orders. The same bits come out all the same: the factors are first rounded to whole multiples of a power of
two, so coarse that float64 holds every product and every sum of them exactly, and so fine that the error stays at that
of float32. What is exact does not depend on any order. The delta is then rounded once, to float32.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile

from .component import Component, TensorRef
from .contents import CheckpointContents
from .lora_keys import FactorPair, read_factor_pairs

_EXACT = 53  # bits that float64 holds


class LoraComponent(Component):
    """A component of the base with a LoRA added to some of its tensors."""

    def __init__(self, base: Component, lora: TensorFile, pairs: Mapping[str, FactorPair], scale: float) -> None:
        """Add a LoRA to a component.

        Args:
            base: the component, which may hold a LoRA already.
            lora: the file.
            pairs: canonical name to the factors in the file; at least one.
            scale: how much of the LoRA is added; 1 is what it was trained for.

        Raises:
            SourceError: a dtype that cannot be merged.
        """
        super().__init__(base.name, f"{base.place} + {scale!r} * {lora.path}", base.tensors)
        self._base = base
        self._lora = lora
        self._factor_pairs = {name: pairs[name] for name in self.tensors if name in pairs}
        self._scale = scale
        keys = {f"{name}.{role}": getattr(pair, role) for name, pair in pairs.items() for role in ("down", "up")}
        refs = {name: TensorRef(lora, key, lora.tensors[key][1], lora.tensors[key][0]) for name, key in keys.items()}
        self._factors = Component(base.name, str(lora.path), refs)

    @property
    def files(self) -> tuple[TensorFile, ...]:
        """The files that hold it: the base's and the LoRA."""
        return (*self._base.files, self._lora)

    def read(self, name: str) -> torch.Tensor:
        """Return a tensor in its stored dtype and canonical shape: base plus delta, added in float32 and rounded once.

        Raises:
            SourceError: the sum overflows that dtype.
        """
        stored = self._base.read(name)
        if name not in self._factor_pairs:
            return stored
        total = stored.reshape(-1).float() + self._delta(name, 0, stored.numel(), stored.device)
        rounded = total.to(stored.dtype).reshape(stored.shape)
        if not bool(torch.isfinite(rounded).all()):
            raise SourceError(
                f"{self.place}: tensor {name} overflows {stored.dtype}. Expected a LoRA that changes weights a little; "
                f"use a scale smaller than {self._scale}."
            )
        return rounded

    def fill(self, name: str, start: int, out: torch.Tensor, *, scratch: torch.Tensor | None = None) -> None:
        """Copy elements `start` to `start + len(out)` of base plus delta into `out`, float32 [n] on any device."""
        self._base.fill(name, start, out, scratch=scratch)
        if name in self._factor_pairs:
            out.add_(self._delta(name, start, start + out.numel(), out.device))

    def keep_on(self, device: torch.device) -> None:
        """Keep what is read of the base in the memory of `device`; the delta is computed there."""
        self._base.keep_on(device)

    @property
    def is_hashed(self) -> bool:
        """Whether the hashes of the base and of the LoRA are known already."""
        return self._base.is_hashed and self._factors.is_hashed

    def compute_sha256(self, progress: Callable[[int], None] | None = None) -> str:
        """Compute what tells these weights from others: SHA-256 of `{base's sha256}+{scale!r}*{LoRA's}`, in hex.

        The LoRA's is over a line `name alpha/rank` for each tensor that it changes, in canonical order, and the hex
        SHA-256 over the raw bytes of their factors in that order. So no tensor has to be computed to be named, and the
        same LoRA in kohya's and in diffusers' naming is the same.

        Args:
            progress: told how many more bytes of the base have been read; may raise to stop.

        Raises:
            SourceError: the base or the LoRA holds NaN or infinity.
        """
        lines = "".join(f"{name} {pair.ratio!r}\n" for name, pair in self._factor_pairs.items())
        lora = hashlib.sha256((lines + self._factors.sha256).encode()).hexdigest()
        return hashlib.sha256(f"{self._base.compute_sha256(progress)}+{self._scale!r}*{lora}".encode()).hexdigest()

    def _delta(self, name: str, start: int, stop: int, device: torch.device) -> torch.Tensor:
        """Return what is added to elements `start` to `stop` of a flattened tensor: float32 [stop - start]."""
        pair = self._factor_pairs[name]
        columns = torch.Size(self.tensors[name].shape[1:]).numel()
        first, last = start // columns, -(-stop // columns)
        work = device if device.type == "cuda" else torch.device("cpu")  # not every accelerator has float64
        up = self._lora.read(pair.up)[first:last].to(work, torch.float64).reshape(last - first, pair.rank)
        down = self._lora.read(pair.down).to(work, torch.float64).reshape(pair.rank, columns)
        product = exact_product(up, down).reshape(-1)[start - first * columns : stop - first * columns]
        return product.mul_(self._scale * pair.ratio).to(torch.float32).to(device)


def with_lora(base: CheckpointContents, path: Path, scale: float) -> CheckpointContents:
    """Return a checkpoint with a LoRA added.

    Args:
        base: the checkpoint; components that the LoRA does not change stay as they are, hash and all.
        path: a `.safetensors` LoRA in kohya's, diffusers' or peft's naming.
        scale: how much of it is added.

    Raises:
        SourceError: no LoRA, a kind that is not baked, or one for another base.
    """
    file = TensorFile(path)
    shapes = {
        part: {name: ref.shape for name, ref in component.tensors.items()}
        for part, component in base.components.items()
    }
    pairs = read_factor_pairs(file, shapes)
    components = {
        part: LoraComponent(component, file, pairs[part], scale) if part in pairs else component
        for part, component in base.components.items()
    }
    return dataclasses.replace(base, components=components)


def exact_product(up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Compute `up @ down` with the same bits whatever the order of its sums: float64 [m, r] by [r, n] to [m, n].

    Each row of `up` and each column of `down` is rounded to whole multiples of a power of two, `bits` bits below its
    largest value. Products are whole numbers of at most 2 * bits bits then, and r of them sum up to 53 at most. With a
    rank of up to 128 that is 23 bits, float32's precision at the largest value; half-precision factors hardly change.
    """
    bits = (_EXACT - (down.shape[0] - 1).bit_length()) // 2
    return _on_grid(up, 1, bits) @ _on_grid(down, 0, bits)


def _on_grid(matrix: torch.Tensor, dim: int, bits: int) -> torch.Tensor:
    """Round each line of `matrix` along `dim` to multiples of a power of two, `bits` below its largest value."""
    largest = matrix.abs().amax(dim, keepdim=True).clamp_min(2.0**-200)
    step = largest / torch.frexp(largest).mantissa * 2.0**-bits  # the quotient is a power of two, and exact
    return (matrix / step).round() * step
