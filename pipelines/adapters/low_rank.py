"""Changes that are products of small factors: LoRA, LoHa, LoKr and GLoRA.

Formulas, with W the base, a convolution's kernel k running along:

    LoRA     up @ down, or sum_ij up[o,i] mid[i,j,k] down[j,n] with a middle factor (arXiv 2106.09685)
    LoHa     (w1_a @ w1_b) * (w2_a @ w2_b), elementwise; each half may have a middle factor t1, t2 (arXiv 2108.06098)
    LoKr     w1 (x) w2, Kronecker; each half whole or a product, w2 with a middle factor t2 too (arXiv 2212.10650)
    GLoRA    W @ a1 @ a2 + b1 @ b2, W by input channels; older files name the factors in reverse (arXiv 2306.07967)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from .arithmetic import exact_product
from .change import BaseRows, TensorChange
from .module import AdapterModule, Shape, without_trailing_ones

Changes = Iterator[tuple[str, TensorChange]]  # canonical name to change


class LowRank(TensorChange):
    """LoRA: `up @ down`, with a middle factor between them where a convolution was decomposed further (CP)."""

    kind: ClassVar[str] = "LoRA"
    marks: ClassVar[frozenset[str]] = frozenset({"down", "up", "mid"})
    roles: ClassVar[frozenset[str]] = marks

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module; raises `SourceError` where the factors do not make it."""
        module.require(cls.kind, ("down", "up"))
        name, target = module.target(cls.kind)
        down, up = module.shape("down"), module.shape("up")
        rank = down[0] if down else 0
        made: Shape = (target[0], *down[1:]) if target else ()
        if "mid" in module.keys:
            mid = module.shape("mid")
            fits = (
                bool(rank)
                and len(target) > 2
                and mid[1:2] == (rank,)
                and without_trailing_ones(up) == (target[0], mid[0])
            )
            made = (*without_trailing_ones(made), *mid[2:])
            rank = mid[0] if mid else 0
        else:
            fits = bool(rank) and len(target) > 1 and without_trailing_ones(up) == (target[0], rank)
        if not fits or without_trailing_ones(made) != without_trailing_ones(target):
            module.refuse(cls.kind, f"up {list(up)} times down {list(down)}")
        keys = {role: module.keys[role] for role in ("down", "up", "mid") if role in module.keys}
        yield name, cls(module.file, keys, target, module.ratio(rank))

    @property
    def identity(self) -> str:
        """What tells this change from others: alpha / rank alone where there are two factors."""
        return super().identity if "mid" in self.keys else repr(self.ratio)

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of `up @ down`; see `TensorChange.rows`."""
        up = self.file.read_rows(self.keys["up"], first, last).to(device, torch.float64).reshape(last - first, -1)
        core = self.factor("mid", device) if "mid" in self.keys else None
        return _product(up, self.matrix("down", device), core)


class Hadamard(TensorChange):
    """LoHa: two low-rank products, multiplied elementwise."""

    kind: ClassVar[str] = "LoHa"
    marks: ClassVar[frozenset[str]] = frozenset(
        {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"}
    )
    roles: ClassVar[frozenset[str]] = marks

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module; raises `SourceError` where the factors do not make it."""
        module.require(cls.kind, ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"))
        name, target = module.target(cls.kind)
        made = [_half_shape(module, f"hada_{half}", f"hada_t{half[1]}") for half in ("w1", "w2")]
        if any(_as_matrix(shape) != _as_matrix(target) for shape in made):
            module.refuse(cls.kind, " by ".join(str(list(shape)) for shape in made))
        keys = {role: module.keys[role] for role in sorted(cls.roles) if role in module.keys}
        yield name, cls(module.file, keys, target, module.ratio(module.shape("hada_w1_b")[0], "alpha"))

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of the product of both halves; see `TensorChange.rows`."""
        return self._half("1", first, last, device) * self._half("2", first, last, device)

    def _half(self, number: str, first: int, last: int, device: torch.device) -> torch.Tensor:
        left, right = (self.matrix(f"hada_w{number}_{side}", device) for side in "ab")
        if f"hada_t{number}" in self.keys:
            return _product(left.t()[first:last], right, self.factor(f"hada_t{number}", device))
        return exact_product(left[first:last], right)


class Kronecker(TensorChange):
    """LoKr: the Kronecker product of two matrices, each of them whole or a product itself."""

    kind: ClassVar[str] = "LoKr"
    marks: ClassVar[frozenset[str]] = frozenset(
        {"lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"}
    )
    roles: ClassVar[frozenset[str]] = marks

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module; raises `SourceError` where the factors do not make it."""
        for half in ("lokr_w1", "lokr_w2"):
            if half not in module.keys:
                module.require(cls.kind, (f"{half}_a", f"{half}_b"))
        name, target = module.target(cls.kind)
        one, two = (_half_shape(module, half, half.replace("w", "t")) for half in ("lokr_w1", "lokr_w2"))
        kernel = torch.Size(target[2:]).numel()
        inner = torch.Size(two[1:]).numel()
        if len(one) != 2 or len(target) < 2 or (one[0] * two[0], one[1] * inner) != (target[0], target[1] * kernel):
            module.refuse(cls.kind, f"the Kronecker product of {list(one)} and {list(two)}")
        keys = {role: module.keys[role] for role in sorted(cls.roles) if role in module.keys}
        yield name, cls(module.file, keys, target, cls._ratio(module, name))

    @classmethod
    def _ratio(cls, module: AdapterModule, name: str) -> float:
        """Return alpha over the rank of the half that is factorised; whole halves have no rank, and alpha no meaning.

        peft divides by the rank of its configuration all the same.
        """
        for half in ("lokr_w2_b", "lokr_w1_b"):
            if half in module.keys:
                return module.ratio(module.shape(half)[0], "alpha")
        if "alpha" in module.keys or "alpha" not in module.config.stated:
            return module.number("scalar", 1.0)
        return module.ratio(module.config.rank(name.removesuffix(".weight"), 1), "alpha")

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of the Kronecker product; see `TensorChange.rows`."""
        one, two = self._half("lokr_w1", device), self._half("lokr_w2", device)
        row = torch.arange(first, last, device=device)
        left, right = one[row // len(two)], two[row % len(two)]  # [m, c], [m, d k]
        return (left[:, :, None] * right[:, None, :]).reshape(last - first, -1)

    def _half(self, half: str, device: torch.device) -> torch.Tensor:
        if half in self.keys:
            return self.matrix(half, device)
        left, right = (self.matrix(f"{half}_{side}", device) for side in "ab")
        core = half.replace("w", "t")
        return _product(left.t(), right, self.factor(core, device)) if core in self.keys else exact_product(left, right)


@dataclass(frozen=True, eq=False)
class GeneralizedLowRank(TensorChange):
    """GLoRA: the base times a low-rank product over its input channels, plus a low-rank product.

    Attributes:
        reversed: whether the file names the factors as LyCORIS once did: `W @ a2 @ a1 + b2 @ b1`.
    """

    kind: ClassVar[str] = "GLoRA"
    marks: ClassVar[frozenset[str]] = frozenset({"a1", "a2", "b1", "b2", "bm"})
    roles: ClassVar[frozenset[str]] = marks
    reversed: bool = False

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module; raises `SourceError` where the factors do not make it."""
        module.require(cls.kind, ("a1", "a2", "b1", "b2"))
        name, target = module.target(cls.kind)
        a1, a2, b1, b2 = (_as_matrix(module.shape(role)) for role in ("a1", "a2", "b1", "b2"))
        height, width = _as_matrix(target)
        channels = target[1] if len(target) > 1 else 0
        core = module.shape("bm") if "bm" in module.keys else None
        rank = a1[1]
        across = channels if core else width
        middle = core is None or (core[:2] == (rank, rank) and core[2:] == target[2:])
        now = (a1, a2, b1, b2) == ((channels, rank), (rank, channels), (height, rank), (rank, across)) and middle
        rank = a1[0]
        once = (a1, a2, b1, b2) == ((rank, channels), (channels, rank), (rank, width), (height, rank)) and core is None
        if not (now or once):
            module.refuse(cls.kind, f"W times {list(a1)} times {list(a2)}, plus {list(b1)} times {list(b2)}")
        keys = {role: module.keys[role] for role in sorted(cls.roles) if role in module.keys}
        yield name, cls(module.file, keys, target, module.ratio(a1[1] if now else a1[0]), reversed=not now)

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of `W @ a1 @ a2 + b1 @ b2`; see `TensorChange.rows`."""
        outer, inner = ("2", "1") if self.reversed else ("1", "2")
        channels = self.shape[1]
        lines = base(first, last).reshape(last - first, channels, -1).transpose(1, 2)  # [m, k, channels]
        turned = exact_product(exact_product(lines, self.matrix(f"a{outer}", device)), self.matrix(f"a{inner}", device))
        core = self.factor("bm", device) if "bm" in self.keys else None
        added = _product(self.matrix(f"b{outer}", device)[first:last], self.matrix(f"b{inner}", device), core)
        return turned.transpose(1, 2).reshape(last - first, -1) + added


def _product(left: torch.Tensor, right: torch.Tensor, core: torch.Tensor | None) -> torch.Tensor:
    """Multiply [m, i] by [j, n], through a core [i, j, *kernel] where there is one: [m, n] or [m, n * kernel]."""
    if core is None:
        return exact_product(left, right)
    through = exact_product(left, core.reshape(core.shape[0], -1))  # [m, j kernel]
    through = through.reshape(len(left), core.shape[1], -1).transpose(1, 2)  # [m, kernel, j]
    return exact_product(through, right).transpose(1, 2).reshape(len(left), -1)


def _as_matrix(shape: Shape) -> tuple[int, int]:
    return (shape[0], torch.Size(shape[1:]).numel()) if shape else (0, 0)


def _half_shape(module: AdapterModule, half: str, core: str) -> Shape:
    """Return the shape of one half of a product: whole, of two factors, or of two around a core; () if they misfit."""
    if half in module.keys:
        return module.shape(half)
    left, right = module.shape(f"{half}_a"), module.shape(f"{half}_b")
    if len(left) != 2 or len(right) < 2:
        return ()
    if core in module.keys:
        middle = module.shape(core)
        return (left[1], right[1], *middle[2:]) if middle[:2] == (left[0], right[0]) else ()
    return (left[0], *right[1:]) if left[1] == right[0] else ()
