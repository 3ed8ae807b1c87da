"""OFT and BOFT as peft writes them: rotations of the columns of the base (arXiv 2306.07280, 2311.06243).

A convolution's columns are its input channels and its kernel, flattened. OFT stores the upper triangle of each Q; R is
its Cayley transform, or the Neumann series of one, as the configuration says. BOFT stores matrices whose halved
difference from their transpose is Q, turns columns in stages, and multiplies the rows by `boft_s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from pipelines.errors import SourceError

from .arithmetic import exact_product, rotation_change
from .change import BaseRows, TensorChange
from .module import AdapterModule

Changes = Iterator[tuple[str, TensorChange]]


@dataclass(frozen=True, eq=False)
class PeftOrthogonal(TensorChange):
    """OFT of peft: `W @ R^T` over blocks of neighbouring columns.

    Attributes:
        terms: of the Neumann series that peft approximates the Cayley transform with; 0 for the transform itself.
    """

    kind: ClassVar[str] = "OFT (peft)"
    marks: ClassVar[frozenset[str]] = frozenset({"oft_R"})
    roles: ClassVar[frozenset[str]] = marks
    terms: int = 0

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module; raises `SourceError` where the blocks do not cover its columns."""
        name, target = module.target(cls.kind)
        shape = module.shape("oft_R")
        size = _block_size(shape[1]) if len(shape) == 2 else 0
        columns = torch.Size(target[1:]).numel()
        shared = len(shape) == 2 and shape[0] == 1
        if len(target) < 2 or not size or (columns % size if shared else shape[0] * size != columns):
            module.refuse(cls.kind, f"{list(shape)}: triangles of rotations over columns, of which there are {columns}")
        if module.config.flag("coft", False):
            raise SourceError(
                "{path} holds constrained OFT (coft in its configuration). Expected OFT without the "
                "constraint: let peft merge it into its base (merge_and_unload), and take the result as a source.",
                path=module.file.path,
            )
        neumann = module.config.flag("use_cayley_neumann", True)
        terms = int(module.config.stated.get("num_cayley_neumann_terms", 5)) if neumann else 0
        yield name, cls(module.file, {"oft_R": module.keys["oft_R"]}, target, terms=terms)

    @property
    def identity(self) -> str:
        """What tells this change from others over the same triangles."""
        return f"{super().identity} {self.terms}"

    def prepare(self, base: BaseRows, device: torch.device) -> torch.Tensor:
        """Compute the rotations less the identity, one a block of columns or one for all: [n, b, b]."""
        triangles = self.factor("oft_R", device)
        size = _block_size(triangles.shape[1])
        skew = triangles.new_zeros(len(triangles), size, size)
        upper = torch.triu_indices(size, size, 1)
        skew[:, upper[0], upper[1]] = triangles
        skew = skew - skew.transpose(1, 2)
        if not self.terms:
            return rotation_change(-skew)
        turns, power = 2 * skew * (self.terms > 1), skew
        for number in range(2, max(self.terms, 4) if self.terms > 2 else 2):
            power = exact_product(power, skew)
            turns = turns + power * (1 if number == max(self.terms, 4) - 1 else 2)  # peft's last term counts once
        return turns

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of `W @ R^T - W`; see `TensorChange.rows`."""
        rows = base(first, last)
        pieces = rows.reshape(last - first, -1, prepared.shape[-1]).transpose(0, 1)  # [n, m, b]
        moved = exact_product(pieces, prepared.transpose(1, 2).expand(len(pieces), -1, -1))
        return moved.transpose(0, 1).reshape(rows.shape)


class PeftButterfly(TensorChange):
    """BOFT of peft: columns turned in stages, then rows scaled."""

    kind: ClassVar[str] = "BOFT (peft)"
    marks: ClassVar[frozenset[str]] = frozenset({"boft_R", "boft_s"})
    roles: ClassVar[frozenset[str]] = marks

    @classmethod
    def of(cls, module: AdapterModule) -> Changes:
        """Read the change of a module; raises `SourceError` where the blocks do not cover its columns."""
        module.require(cls.kind, ("boft_R", "boft_s"))
        name, target = module.target(cls.kind)
        blocks, scales = module.shape("boft_R"), torch.Size(module.shape("boft_s")).numel()
        columns = torch.Size(target[1:]).numel()
        covered = blocks[1] * blocks[2] if len(blocks) == 4 and blocks[2] == blocks[3] else 0
        stages = blocks[0] if blocks else 0
        whole = stages == 1 or (stages > 1 and blocks[-1] % 2 == 0 and blocks[1] % 2 ** (stages - 1) == 0)
        if len(target) < 2 or covered != columns or scales != target[0] or not whole:
            module.refuse(cls.kind, f"blocks over {covered} columns and {scales} rows")
        yield name, cls(module.file, {role: module.keys[role] for role in ("boft_R", "boft_s")}, target)

    def prepare(self, base: BaseRows, device: torch.device) -> torch.Tensor:
        """Compute the rotations of all stages, less the identity: [stages, n, b, b]."""
        blocks = self.factor("boft_R", device)
        return rotation_change((blocks.transpose(-1, -2) - blocks) * 0.5)

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of the turned and scaled base minus the base; see `TensorChange.rows`."""
        rows = base(first, last)
        turned = rows
        for stage, blocks in enumerate(prepared):
            count, size, _ = blocks.shape
            order = _butterfly(count * size, size, stage).to(device)
            pieces = torch.empty_like(turned)
            pieces[:, order] = turned
            pieces = pieces.reshape(last - first, count, size).transpose(0, 1)  # [n, m, b]
            moved = exact_product(pieces, blocks.transpose(1, 2)).transpose(0, 1).reshape(rows.shape)
            turned = turned + moved[:, order]
        return turned * self.factor("boft_s", device).flatten()[first:last, None] - rows


def _block_size(triangle: int) -> int:
    """Return the width of a matrix by the number of elements above its diagonal; 0 where there is none."""
    size = round((1 + (1 + 8 * triangle) ** 0.5) / 2)
    return size if size * (size - 1) // 2 == triangle else 0


def _butterfly(width: int, size: int, stage: int) -> torch.Tensor:
    """Return where each column goes in a stage: of every group of 2^stage blocks, even halves first, then odd ones."""
    halves = torch.arange(width).reshape(-1, 2**stage * 2, max(size // 2, 1)) if size > 1 else None
    if halves is None or stage == 0:
        return torch.arange(width)
    return torch.cat([halves[:, 0::2], halves[:, 1::2]], dim=1).flatten()
