"""The keys of one module of an adapter's file, and the tensors of the base that it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import torch

from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile

from .peft_config import PeftConfig

Shape = tuple[int, ...]
_SINGLE = frozenset({"alpha", "scalar", "on_input"})  # roles that are one number


@dataclass(frozen=True)
class AdapterModule:
    """One module as an adapter's file has it, and as the base has it.

    Attributes:
        file: the adapter.
        name: what the file calls the module.
        keys: role, such as `down`, to the file's key.
        weight: canonical name and shape of the weight that it changes; `None` where the base has none of that name.
        bias: the same of the bias.
        config: peft's configuration, empty where there is none.
    """

    file: TensorFile
    name: str
    keys: Mapping[str, str]
    weight: tuple[str, Shape] | None
    bias: tuple[str, Shape] | None
    config: PeftConfig

    def shape(self, role: str) -> Shape:
        """Return the shape of a factor as the file states it."""
        return self.file.tensors[self.keys[role]][0]

    def number(self, role: str, otherwise: float) -> float:
        """Read a role that is one number, such as `alpha`; `otherwise` where the file has none.

        Raises:
            SourceError: several numbers, or one that is not finite.
        """
        if role not in self.keys:
            return otherwise
        value = self.file.read(self.keys[role])
        if value.numel() != 1 or not bool(torch.isfinite(value).all()):
            raise SourceError(
                "{path}: {key} is {value}. Expected one finite number; the file is "
                "damaged, or its training diverged: take an earlier save of it.",
                path=self.file.path,
                key=self.keys[role],
                value=value.tolist(),
            )
        return float(value)

    def ratio(self, rank: int, stated: str = "lora_alpha") -> float:
        """Return what the product of the factors is multiplied by: alpha / rank, times `scalar` where there is one.

        Args:
            rank: what the factors have in common.
            stated: what peft's configuration calls alpha, for files without the key.

        Raises:
            SourceError: a number in the file or in the configuration that is none.
        """
        if "alpha" in self.keys:
            ratio = self.number("alpha", rank) / rank
        else:
            ratio = self.config.ratio(self.weight[0].removesuffix(".weight") if self.weight else "", rank, stated)
        return ratio * self.number("scalar", 1.0)

    def target(self, kind: str) -> tuple[str, Shape]:
        """Return the weight that it changes.

        Raises:
            SourceError: the base has none in this module.
        """
        if self.weight is None:
            self.refuse(kind, "a weight that the base does not have")
        return self.weight

    def refuse(self, kind: str, found: str) -> NoReturn:
        """Refuse factors that do not make what the base has; `found` says what they make.

        Raises:
            SourceError: always.
        """
        shapes = ", ".join(f"{key} {list(self.file.tensors[key][0])}" for key in self.keys.values())
        name, target = self.weight or self.bias or (self.name, ())
        raise SourceError(
            "{path}: {kind} of {name} {target} does not fit: it is {found} ({shapes}). Expected one "
            "for a model of these widths; an adapter of SD 1.5, of FLUX or of another architecture does not go on "
            "SDXL.",
            path=self.file.path,
            kind=kind,
            name=name,
            target=list(target),
            found=found,
            shapes=shapes,
        )

    def require(self, kind: str, roles: tuple[str, ...]) -> None:
        """Refuse a module that lacks one of the factors without which its kind has no meaning.

        Raises:
            SourceError: a factor is missing.
        """
        missing = [role for role in roles if role not in self.keys]
        if missing:
            raise SourceError(
                "{path} lacks the {missing} factor of {name}. Expected {roles} "
                "of every module of {kind}; it was saved in part: take the whole file.",
                path=self.file.path,
                missing=", ".join(missing),
                name=self.name,
                roles=", ".join(roles),
                kind=kind,
            )


def without_trailing_ones(shape: Shape) -> Shape:
    """Return a shape of at least two dimensions without the ones at its end: a 1x1 convolution is a linear layer."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape
