"""Products, sums and inverses that have the same bits whatever the order of their sums, on every machine.

Libraries cut a matrix product into blocks that differ between processors, and add up in different orders. Two ways
round that: factors are first rounded to whole multiples of a power of two, so coarse that float64 holds every product
and every sum of them exactly, and so fine that the error stays at that of float32; or a sum is written as additions of
whole rows in a fixed order, each of which is rounded as IEEE 754 says. All tensors are float64.
"""

from __future__ import annotations

import torch

_EXACT = 53  # bits that float64 holds
_PANEL = 64  # columns that are eliminated at a time; part of what the result is


def exact_product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Compute `left @ right` with the same bits whatever the order of its sums.

    [..., m, r] by [..., r, n] gives [..., m, n]. Each row of `left` and each column of `right` is rounded to whole
    multiples of a power of two, `bits` bits below its largest value. Products are whole numbers of at most 2 * bits
    bits then, and r of them sum up to 53 at most. With a rank of up to 128 that is 23 bits, float32's precision at the
    largest value; half-precision factors hardly change.
    """
    bits = (_EXACT - (right.shape[-2] - 1).bit_length()) // 2
    return _on_grid(left, -1, bits) @ _on_grid(right, -2, bits)


def ordered_sum(values: torch.Tensor) -> torch.Tensor:
    """Sum over the first dimension in a fixed order: [n, ...] to [...].

    The upper half is added to the lower one until one row is left, so every addition is of whole rows.
    """
    while len(values) > 1:
        half = (len(values) + 1) // 2
        summed = values[:half].clone()
        summed[: len(values) - half] += values[half:]
        values = summed
    return values[0]


def rotation_change(skew: torch.Tensor) -> torch.Tensor:
    """Compute `R - I` of the rotation `R = (I - Q)^-1 (I + Q)` (Cayley) of skew-symmetric Q: [..., b, b] to the same.

    It is `(I - Q)^-1 2 Q`, by elimination in a fixed order. `I - Q` is positive definite in its symmetric part, and so
    is what is left of it after each step: no pivots are needed. Panels of columns are eliminated at a time, so that
    nearly all of the work is matrix products.
    """
    size = skew.shape[-1]
    identity = torch.eye(size, dtype=skew.dtype, device=skew.device)
    rows = torch.cat([identity - skew, 2 * skew], dim=-1)  # [..., b, 2 b]
    for start in range(0, size, _PANEL):
        panel, after = slice(start, min(start + _PANEL, size)), slice(min(start + _PANEL, size), None)
        solved = _fine_product(_inverse(rows[..., panel, panel]), rows[..., panel, after])
        rest = rows[..., after] - _fine_product(rows[..., panel], solved)
        rest[..., panel, :] = solved
        rows = torch.cat([rows[..., : after.start], rest], dim=-1)
    return rows[..., size:].clone()


def _inverse(matrix: torch.Tensor) -> torch.Tensor:
    """Invert small matrices column by column, whole rows at a time: [..., p, p] to the same; without pivots."""
    size = matrix.shape[-1]
    identity = torch.eye(size, dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
    rows = torch.cat([matrix, identity], dim=-1)
    for column in range(size):
        pivot = rows[..., column : column + 1, :] / rows[..., column : column + 1, column : column + 1]
        rows = rows - rows[..., :, column : column + 1] * pivot
        rows[..., column : column + 1, :] = pivot
    return rows[..., size:]


def _fine_product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Compute `left @ right` as `exact_product` does, with twice its bits: each factor is a coarse and a fine part."""
    bits = (_EXACT - (right.shape[-2] - 1).bit_length()) // 2
    coarse_left, coarse_right = _on_grid(left, -1, bits), _on_grid(right, -2, bits)
    fine_left, fine_right = _on_grid(left - coarse_left, -1, bits), _on_grid(right - coarse_right, -2, bits)
    return coarse_left @ coarse_right + (coarse_left @ fine_right + fine_left @ coarse_right)


def _on_grid(matrix: torch.Tensor, dim: int, bits: int) -> torch.Tensor:
    """Round each line of `matrix` along `dim` to multiples of a power of two, `bits` below its largest value."""
    largest = matrix.abs().amax(dim, keepdim=True).clamp_min(2.0**-200)
    step = largest / torch.frexp(largest).mantissa * 2.0**-bits  # the quotient is a power of two, and exact
    return (matrix / step).round() * step
