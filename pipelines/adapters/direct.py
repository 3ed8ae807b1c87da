"""Changes that need no product of factors: differences, norms and biases as they are, and IA3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from .change import BaseRows, TensorChange
from .module import AdapterModule, Shape, without_trailing_ones

Changes = Iterator[tuple[str, TensorChange]]
_WEIGHTS = {"diff": "a difference of weights", "w_norm": "a norm's weight"}
_BIASES = {"diff_b": "a difference of biases", "b_norm": "a norm's bias", "up_bias": "a bias of LoRA's"}


class Difference(TensorChange):
    """What the file holds whole: `diff`, `diff_b`, `w_norm`, `b_norm`, and the biases of peft's factors."""

    kind: ClassVar[str] = "difference"
    marks: ClassVar[frozenset[str]] = frozenset(_WEIGHTS)
    roles: ClassVar[frozenset[str]] = frozenset(_WEIGHTS)
    bias_roles: ClassVar[frozenset[str]] = frozenset(_BIASES)

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module's weight; raises `SourceError` where it has another shape."""
        (role,) = cls.roles & module.keys.keys()
        name, target = module.target(_WEIGHTS[role])
        yield name, cls._of_shape(module, role, target, _WEIGHTS[role])

    @classmethod
    def of_bias(cls, module: AdapterModule) -> Changes:
        """Read the change of a module's bias, if the file has one; raises `SourceError` where it does not fit."""
        for role in sorted(cls.bias_roles & module.keys.keys()):
            if module.bias is None:
                module.refuse(_BIASES[role], "for a bias that the base does not have")
            name, target = module.bias
            yield name, cls._of_shape(module, role, target, _BIASES[role])

    @classmethod
    def _of_shape(cls, module: AdapterModule, role: str, target: Shape, what: str) -> Difference:
        shape = module.shape(role)
        if without_trailing_ones(shape) != without_trailing_ones(target):
            module.refuse(what, str(list(shape)))
        of_lora = role == "up_bias" and "down" in module.keys
        ratio = module.ratio(module.shape("down")[0]) if of_lora else module.number("scalar", 1.0)
        return cls(module.file, {role: module.keys[role]}, target, ratio)

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Read rows of the difference; see `TensorChange.rows`."""
        (key,) = self.keys.values()
        return self.file.read_rows(key, first, last).to(device, torch.float64).reshape(last - first, -1)


@dataclass(frozen=True, eq=False)
class Scaling(TensorChange):
    """IA3: rows or columns of the base times a number each (arXiv 2205.05638).

    Attributes:
        on_input: whether the numbers belong to the input channels, and so to columns; else to rows.
        offset: what is taken off them: peft stores the factor itself, LyCORIS its distance from 1.
    """

    kind: ClassVar[str] = "IA3"
    marks: ClassVar[frozenset[str]] = frozenset({"ia3_l", "on_input"})
    roles: ClassVar[frozenset[str]] = frozenset({"ia3_l", "weight", "on_input"})
    on_input: bool = False
    offset: float = 0.0

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module, of peft's its bias too; raises `SourceError` where it does not fit."""
        by_peft = "ia3_l" in module.keys
        module.require(cls.kind, ("ia3_l",) if by_peft else ("weight", "on_input"))
        role = "ia3_l" if by_peft else "weight"
        name, target = module.target(cls.kind)
        shape = module.shape(role)
        count = torch.Size(shape).numel()
        on_input = cls._is_on_input(module, shape) if by_peft else bool(module.number("on_input", 0))
        if len(target) < 2 or count != target[1 if on_input else 0]:
            module.refuse(cls.kind, f"{count} numbers for the {'input' if on_input else 'output'}")
        keys, offset = {role: module.keys[role]}, 1.0 if by_peft else 0.0
        yield name, cls(module.file, keys, target, on_input=on_input, offset=offset)
        if by_peft and not on_input and module.bias is not None:
            yield module.bias[0], cls(module.file, keys, module.bias[1], offset=offset)

    @classmethod
    def _is_on_input(cls, module: AdapterModule, shape: Shape) -> bool:
        """Return whether peft's numbers belong to the input: it says so by shape for linear layers, else by name."""
        if len(shape) == 2:
            return shape[0] == 1 and shape[1] != 1
        named = module.config.stated.get("feedforward_modules") or ()
        name = module.target(cls.kind)[0].removesuffix(".weight")
        return any(f".{name}".endswith(f".{end}") for end in ([named] if isinstance(named, str) else named))

    @property
    def identity(self) -> str:
        """What tells this change from others over the same numbers."""
        return f"{super().identity} {'input' if self.on_input else 'output'} {self.offset!r}"

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of `W * (numbers - offset)`; see `TensorChange.rows`."""
        (role,) = self.keys
        numbers = self.factor(role, device).flatten() - self.offset
        if not self.on_input:
            return base(first, last) * numbers[first:last, None]
        lines = base(first, last).reshape(last - first, self.shape[1], -1)
        return (lines * numbers[:, None]).reshape(last - first, -1)
