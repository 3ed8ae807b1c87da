"""What a scorer sees in training: pictures moved, recoloured and, to a known degree, spoilt."""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def moved(images: torch.Tensor, *, turn: float, smallest: float) -> torch.Tensor:
    """Random mirror, turn (up to `turn` radians), size (down to `smallest`) and place, on white.

    Images are float32 [n, 3, 64, 64] in -1..1, here and below.
    """
    n = len(images)
    angle = (torch.rand(n) * 2 - 1) * turn
    zoom = 1 / torch.empty(n).uniform_(smallest, 1.1)
    mirror = torch.where(torch.rand(n) < 0.3, -1.0, 1.0)
    shift = (torch.rand(n, 2) * 2 - 1) * 0.12
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = [torch.stack([cosine * mirror, -sine, shift[:, 0]], 1), torch.stack([sine * mirror, cosine, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images - 1, grid, align_corners=False) + 1


def recoloured(images: torch.Tensor, amount: float) -> torch.Tensor:
    """A random 3x3 colour matrix near the identity, and another contrast."""
    n = len(images)
    matrix = torch.eye(3) + amount * 0.3 * torch.randn(n, 3, 3)
    matrix = matrix / matrix.sum(2, keepdim=True)  # white stays white
    contrast = 1 + amount * (torch.rand(n, 1, 1, 1) - 0.5)
    mixed = torch.einsum("nij,njhw->nihw", matrix, images - 1) * contrast + 1
    return mixed.clamp(-1, 1)


def spoilt(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Each image spoilt in one of five ways: mud, blur, noise, another picture shining through, shuffled tiles.

    Args:
        images: float32 [n, 3, 64, 64].
        severity: float32 [n]; 0 leaves the picture alone, 1 leaves nothing to recognise.
    """
    chosen = torch.randint(0, len(WAYS), (len(images), 1, 1, 1))
    return torch.stack([torch.where(chosen == k, way(images, severity), 0.0) for k, way in enumerate(WAYS)]).sum(0)


def _muddy(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    mud = functional.interpolate(torch.randn(len(images), 3, 4, 4) * 0.5, (64, 64), mode="bilinear")
    return images.lerp((_plain(images) + mud).clamp(-1, 1), severity.view(-1, 1, 1, 1))


def _noisy(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    part = severity.view(-1, 1, 1, 1)
    return (images * (1 - 0.7 * part) + part * 1.2 * torch.randn_like(images)).clamp(-1, 1)


def _double(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    return images.lerp(images.roll(1, 0), 0.6 * severity.view(-1, 1, 1, 1))


def _torn(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    part = severity.view(-1, 1, 1, 1)
    return torch.where(
        torch.rand(len(images), 1, 1, 1) < part, _shuffled(images), images.lerp(_plain(images), 0.6 * part)
    )


def _plain(images: torch.Tensor) -> torch.Tensor:
    """About the mean colour of each image: [n, 3, 1, 1]."""
    return images.mean((2, 3), keepdim=True) + 0.2 * torch.randn(len(images), 3, 1, 1)


def junk(n: int) -> torch.Tensor:
    """Pictures of nothing: plain colours, soft clouds, stripes and noise: float32 [n, 3, 64, 64]."""
    grain = 2 ** torch.randint(0, 7, (n,))
    pieces = [torch.randn(1, 3, int(size), int(size)) for size in grain]
    clouds = torch.cat([functional.interpolate(piece, (64, 64), mode="bilinear") for piece in pieces])
    colour = torch.empty(n, 3, 1, 1).uniform_(-1, 1)
    return (clouds * torch.rand(n, 1, 1, 1) + colour).clamp(-1, 1)


def _blurred(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Shrunk to as few as 3x3 pixels and enlarged again, in four steps of severity."""
    result = images.clone()
    for number, size in enumerate((20, 11, 6, 3)):
        chosen = (severity * 4).long().clamp(max=3) == number
        if chosen.any():
            small = functional.adaptive_avg_pool2d(images[chosen], size)
            result[chosen] = functional.interpolate(small, (64, 64), mode="bilinear")
    return result


def _shuffled(images: torch.Tensor, tiles: int = 4) -> torch.Tensor:
    """The tiles of every picture in one other order."""
    side = math.isqrt(images[0, 0].numel()) // tiles
    pieces = functional.unfold(images, side, stride=side)  # [n, 3*side*side, tiles*tiles]
    return functional.fold(pieces[:, :, torch.randperm(tiles * tiles)], (64, 64), side, stride=side)


#: Ways to spoil a picture, each a function of images and severity.
WAYS = (_muddy, _blurred, _noisy, _double, _torn)
