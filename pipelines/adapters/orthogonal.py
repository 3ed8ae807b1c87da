"""OFT and BOFT as kohya and LyCORIS write them: rotations of the output channels (arXiv 2306.07280, 2311.06243).

`oft_blocks` hold matrices B; Q = B - B^T is skew-symmetric, and R = (I + Q)(I - Q)^-1 a rotation. OFT turns blocks of
neighbouring rows of the base, each by the transpose of its own R, as trainers do. BOFT turns rows in stages, in each
of them those that lie further apart. `alpha` limits the norm of all Q together to alpha times the number of rows, and
`rescale` multiplies the rows at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from .arithmetic import exact_product, ordered_sum, rotation_change
from .change import BaseRows, TensorChange
from .module import AdapterModule

_TINY = 1e-8  # both trainers add it to the norm


@dataclass(frozen=True, eq=False)
class OrthogonalBlocks(TensorChange):
    """OFT (blocks [n, b, b]) and BOFT (blocks [stages, n, b, b]).

    Attributes:
        limit: the most that the norm of Q may be; none at 0.
    """

    kind: ClassVar[str] = "OFT"
    marks: ClassVar[frozenset[str]] = frozenset({"oft_blocks"})
    roles: ClassVar[frozenset[str]] = frozenset({"oft_blocks", "rescale"})
    limit: float = 0.0

    @classmethod
    def of(cls, module: AdapterModule) -> Iterator[tuple[str, TensorChange]]:
        """Read the change of a module; raises `SourceError` where the blocks do not cover its rows."""
        name, target = module.target(cls.kind)
        blocks = module.shape("oft_blocks")
        covered = blocks[-3] * blocks[-1] if len(blocks) in (3, 4) and blocks[-1] == blocks[-2] else 0
        scales = torch.Size(module.shape("rescale")).numel() if "rescale" in module.keys else covered
        stages = blocks[0] if len(blocks) == 4 else 1
        whole = len(blocks) != 4 or (blocks[-1] % 2 == 0 and covered % (2 ** (stages - 1) * blocks[-1]) == 0)
        if not target or not covered == scales == target[0] or not whole:
            module.refuse("BOFT" if len(blocks) == 4 else cls.kind, f"blocks over {covered} rows")
        keys = {role: module.keys[role] for role in sorted(cls.roles) if role in module.keys}
        limit = module.number("alpha", 0.0) * target[0]
        yield name, cls(module.file, keys, target, module.number("scalar", 1.0), limit=limit)

    @property
    def identity(self) -> str:
        """What tells this change from others over the same blocks."""
        return f"{super().identity} {self.limit!r}"

    def prepare(self, base: BaseRows, device: torch.device) -> torch.Tensor:
        """Compute the rotations less the identity [n, b, b]; of BOFT, whose rows all mix, the whole change."""
        turns = self._rotations(device)
        if turns.dim() == 3:
            return turns
        rows = base(0, self.shape[0])
        turned = rows
        for stage, blocks in enumerate(turns):
            reach = 2**stage * blocks.shape[-1] // 2
            order = torch.arange(len(rows), device=device).reshape(-1, 2, reach).transpose(1, 2).flatten()
            pieces = turned[order].reshape(*blocks.shape[:2], -1)
            back = torch.empty_like(turned)
            back[order] = exact_product(blocks, pieces).reshape(len(rows), -1)
            turned = turned + back
        return self._rescaled(turned, 0, len(rows), device) - rows

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of the turned base minus the base; see `TensorChange.rows`."""
        if "oft_blocks" in self.keys and len(self.file.tensors[self.keys["oft_blocks"]][0]) == 4:
            change: torch.Tensor = prepared[first:last]
            return change
        size = prepared.shape[-1]
        begin, end = first // size, -(-last // size)
        rows = base(begin * size, end * size).reshape(end - begin, size, -1)
        moved = exact_product(prepared[begin:end].transpose(1, 2), rows).reshape((end - begin) * size, -1)
        inside = slice(first - begin * size, last - begin * size)
        if "rescale" not in self.keys:
            return moved[inside]
        before = rows.reshape(moved.shape)[inside]
        return self._rescaled(before + moved[inside], first, last, device) - before

    def _rotations(self, device: torch.device) -> torch.Tensor:
        blocks = self.factor("oft_blocks", device)
        skew = blocks - blocks.transpose(-1, -2)
        norm = float(torch.sqrt(ordered_sum((skew * skew).flatten())))
        if self.limit and norm > self.limit:
            skew = skew * ((self.limit + _TINY) / (norm + _TINY))
        return rotation_change(skew)

    def _rescaled(self, rows: torch.Tensor, first: int, last: int, device: torch.device) -> torch.Tensor:
        if "rescale" not in self.keys:
            return rows
        return rows * self.factor("rescale", device).flatten()[first:last, None]
