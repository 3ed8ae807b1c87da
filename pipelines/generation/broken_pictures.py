"""What is wrong with a picture that came out of a pipeline, and why that may be."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.errors import Phrase


def picture_problem(
    latent: torch.Tensor, pixels: np.ndarray, *, weights: torch.dtype, decoding: torch.dtype
) -> Phrase | None:
    """Return what is wrong with a picture, to end a sentence; `None` where it is a picture.

    Args:
        latent: float [4, h, w], before it was decoded.
        pixels: float32 [height, width, 3], in 0..1.
        weights: what the UNet computes in.
        decoding: what the VAE computes in.
    """
    if not torch.isfinite(latent).all():
        precision = str(weights).removeprefix("torch.")
        half = Phrase(", or the half precision of {precision}", precision=precision)
        return Phrase(
            "came out with NaN before it was decoded. Likely cause: weights far from those of the sources, or a "
            "damaged source{overflow}. Expected weights near a mean of the sources; see whether the sources alone "
            "draw this prompt.",
            overflow="" if weights == torch.float32 else half,
        )
    if not np.isfinite(pixels).all():
        problem = Phrase("came out with NaN when it was decoded")
    else:
        levels = (pixels * 255).round()
        if (levels != levels[0, 0]).any():
            return None
        problem = Phrase("is of one colour throughout") if levels.any() else Phrase("is black")
    if decoding == torch.float16:
        cause = Phrase("a VAE that overflows in float16, though its configuration says that it does not (force_upcast)")
    else:
        cause = Phrase("a damaged VAE, or weights far from those of the sources")
    return Phrase(
        "{problem}. Likely cause: {cause}. Expected a picture; take the VAE from another source by the host.",
        problem=problem,
        cause=cause,
    )
