"""What a scorer sees in training: pictures moved, recoloured and, to a known degree, spoilt.

Images are float32 [n, 3, 64, 64] in -1..1. Everything is drawn on their device, and nothing waits for the host.
"""

from __future__ import annotations

import torch
from torch.nn import functional

SIDE = 64
TILES = 4


def moved(images: torch.Tensor, *, turn: float, smallest: float) -> torch.Tensor:
    """Random mirror, turn (up to `turn` radians), stretch, size (down to `smallest`) and place, on white."""
    n, device = len(images), images.device
    angle = (torch.rand(n, device=device) * 2 - 1) * turn
    zoom = 1 / (smallest + (1.1 - smallest) * torch.rand(n, device=device))
    stretch = 1 + 0.15 * (torch.rand(n, device=device) * 2 - 1)
    mirror = torch.where(torch.rand(n, device=device) < 0.3, -1.0, 1.0)
    shift = (torch.rand(n, 2, device=device) * 2 - 1) * 0.12
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = [
        torch.stack([cosine * mirror * stretch, -sine, shift[:, 0]], 1),
        torch.stack([sine * mirror * stretch, cosine, shift[:, 1]], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images - 1, grid, align_corners=False) + 1


def recoloured(images: torch.Tensor, amount: float) -> torch.Tensor:
    """A random 3x3 colour matrix near the identity, and another contrast."""
    n, device = len(images), images.device
    matrix = torch.eye(3, device=device) + amount * 0.3 * torch.randn(n, 3, 3, device=device)
    matrix = matrix / matrix.sum(2, keepdim=True).clamp(min=0.3)  # white stays white
    contrast = 1 + amount * (torch.rand(n, 1, 1, 1, device=device) - 0.5)
    mixed = torch.einsum("nij,njhw->nihw", matrix, images - 1) * contrast + 1
    return mixed.clamp(-1, 1)


def restyled(images: torch.Tensor) -> torch.Tensor:
    """The same drawing by another hand: greyed, in few flat colours, or with a dark outline, each now and then."""
    n, device = len(images), images.device

    def some(share: float) -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, device=device) < share

    grey = images.mean(1, keepdim=True).expand_as(images)
    images = torch.where(some(0.15), images.lerp(grey, torch.rand(n, 1, 1, 1, device=device)), images)
    levels = 1.5 + 3 * torch.rand(n, 1, 1, 1, device=device)
    images = torch.where(some(0.2), (images * levels).round() / levels, images)
    shade = functional.pad(images, (1, 1, 1, 1), value=1.0)
    across = (shade[:, :, 1:-1, 2:] - shade[:, :, 1:-1, :-2]).abs()
    down = (shade[:, :, 2:, 1:-1] - shade[:, :, :-2, 1:-1]).abs()
    edge = (across + down).amax(1, keepdim=True)
    line = functional.max_pool2d((edge * 1.2 - 0.3).clamp(0, 1), 3, stride=1, padding=1)
    outlined = images.lerp(torch.full_like(images, -0.9), line)
    filled = torch.where(some(0.4), outlined, torch.ones_like(images).lerp(torch.full_like(images, -0.9), line))
    return torch.where(some(0.25), torch.where(some(0.7), outlined, filled), images).clamp(-1, 1)


def spoilt(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Each image spoilt in one of five ways: mud, blur, noise, another picture shining through, shuffled tiles.

    Args:
        images: float32 [n, 3, 64, 64].
        severity: float32 [n]; 0 leaves the picture alone, 1 leaves nothing to recognise.
    """
    chosen = torch.randint(0, len(WAYS), (len(images), 1, 1, 1), device=images.device)
    result = torch.zeros_like(images)
    for number, way in enumerate(WAYS):
        result = torch.where(chosen == number, way(images, severity), result)
    return result


def muddy(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Clouds in about the mean colour lie over the picture."""
    mud = torch.randn(len(images), 3, 4, 4, device=images.device) * 0.5
    mud = functional.interpolate(mud, (SIDE, SIDE), mode="bilinear")
    return images.lerp((_plain(images) + mud).clamp(-1, 1), severity.view(-1, 1, 1, 1))


def blurred(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Shrunk to as few as 3x3 pixels and enlarged again, in four steps of severity; 0 leaves it alone."""
    result, step = images, (severity * 4).ceil().clamp(max=4).view(-1, 1, 1, 1)
    for number, size in enumerate((20, 11, 6, 3), start=1):
        small = functional.adaptive_avg_pool2d(images, size)
        result = torch.where(step == number, functional.interpolate(small, (SIDE, SIDE), mode="bilinear"), result)
    return result


def noisy(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Noise takes the picture's place."""
    part = severity.view(-1, 1, 1, 1)
    return (images * (1 - 0.7 * part) + part * 1.2 * torch.randn_like(images)).clamp(-1, 1)


def double(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """The next picture shines through."""
    return images.lerp(images.roll(1, 0), 0.6 * severity.view(-1, 1, 1, 1))


def torn(images: torch.Tensor, severity: torch.Tensor) -> torch.Tensor:
    """Some of its tiles lie in each other's place, and their colours fade."""
    n, device = len(images), images.device
    side = SIDE // TILES
    tiles = functional.unfold(images, side, stride=side)  # [n, 3*side*side, tiles*tiles]
    order = torch.rand(n, TILES * TILES, device=device).argsort(1)
    elsewhere = tiles.gather(2, order[:, None].expand_as(tiles))
    loose = torch.rand(n, TILES * TILES, device=device).argsort(1).argsort(1) < (severity * TILES * TILES).view(-1, 1)
    mixed = functional.fold(torch.where(loose[:, None], elsewhere, tiles), (SIDE, SIDE), side, stride=side)
    return mixed.lerp(_plain(images), 0.3 * severity.view(-1, 1, 1, 1))


def _plain(images: torch.Tensor) -> torch.Tensor:
    """About the mean colour of each image: [n, 3, 1, 1]."""
    return images.mean((2, 3), keepdim=True) + 0.2 * torch.randn(len(images), 3, 1, 1, device=images.device)


def junk(n: int, device: torch.device) -> torch.Tensor:
    """Pictures of nothing: plain colours, soft clouds, stripes and noise: float32 [n, 3, 64, 64]."""
    grain = torch.randint(0, 7, (n, 1, 1, 1), device=device)
    clouds = torch.zeros(n, 3, SIDE, SIDE, device=device)
    for power in range(7):
        piece = torch.randn(n, 3, 2**power, 2**power, device=device)
        clouds = torch.where(grain == power, functional.interpolate(piece, (SIDE, SIDE), mode="bilinear"), clouds)
    colour = torch.rand(n, 3, 1, 1, device=device) * 2 - 1
    return (clouds * torch.rand(n, 1, 1, 1, device=device) + colour).clamp(-1, 1)


#: Ways to spoil a picture, each a function of images and severity.
WAYS = (muddy, blurred, noisy, double, torn)
