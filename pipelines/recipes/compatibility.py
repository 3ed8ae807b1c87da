"""How alike sources are, from their inner products alone: angles, and what each of them changed of a base.

Merging averages weights, so it pays to know before a run which sources point the same way. `gram_matrices` reads the
weights, once; all else is a function of one such matrix, `products`, float64 [K, K]: the inner products of K sources
over one chromosome. With b the base, t_i = x_i - x_b is the task vector of source i (Ilharco et al., arXiv 2212.04089):

    t_i . t_j = x_i.x_j - x_i.x_b - x_b.x_j + x_b.x_b
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pipelines.checkpoints.sources import Source

from .gram import compute_gram

# Of |x|^2: what float64 leaves of the sum above is no change, but rounding.
_ROUNDING = 1e-13


def gram_matrices(sources: Sequence[Source], progress: Callable[[float], None] | None = None) -> dict[str, np.ndarray]:
    """Compute the inner products of the sources over each chromosome of the UNet.

    Args:
        sources: K sources that were found mergeable. What was hashed and measured before comes from the cache.
        progress: told the share that is done, 0..1; may raise to stop.

    Returns:
        float64 [K, K] by chromosome.

    Raises:
        SourceError: a source holds NaN or infinity.
    """
    unets = [source.components["unet"] for source in sources]
    total_bytes = sum(unet.size for unet in unets)  # read once to hash, once to multiply
    hashed_bytes = 0

    def report(position: float) -> None:
        if progress:
            progress(min(1.0, position / (2 * total_bytes)))

    def count_hashed(more: int) -> None:
        nonlocal hashed_bytes
        hashed_bytes += more
        report(hashed_bytes)

    for unet in unets:
        unet.compute_sha256(count_hashed)
    layouts, matrices, start = unets[0].layouts, {}, float(total_bytes)
    for name, layout in layouts.items():
        size = total_bytes * layout.size / sum(one.size for one in layouts.values())
        measured = compute_gram(sources, layout, progress=partial(_report_share, report, start, size))
        matrices[name] = measured.between(0, layout.size)
        start += size
        report(start)
    return matrices


def source_angles(products: np.ndarray) -> np.ndarray:
    """Return the angles between the sources themselves: float64 [K, K], degrees, 0 on the diagonal."""
    norms = np.sqrt(np.diag(products))
    cosines = np.clip(products / np.outer(norms, norms), -1.0, 1.0)
    np.fill_diagonal(cosines, 1.0)
    return np.degrees(np.arccos(cosines))


def task_lengths(products: np.ndarray, base: int) -> np.ndarray:
    """Return how far each source is from the base, as a share of the base's own length: |t_i| / |x_b|, float64 [K].

    Args:
        products: see above.
        base: the row of the base.
    """
    return np.sqrt(np.diag(_task_products(products, base)) / products[base, base])


def task_distances(products: np.ndarray, base: int) -> np.ndarray:
    """Return how far apart two task vectors are, as a share of the base's length: |t_i - t_j| / |x_b|, float64 [K, K].

    The row of the base, whose own task vector is zero, holds `task_lengths`.
    """
    squares = np.diag(_task_products(products, base))
    apart = squares[:, None] + squares[None, :] - 2 * _task_products(products, base)
    return np.sqrt(np.maximum(apart, 0.0) / products[base, base])


def task_angles(products: np.ndarray, base: int) -> np.ndarray:
    """Return the angles between task vectors.

    About 90: two sources learnt different things, and their changes can be added. Well below: they changed the same
    things the same way. Well above: what one of them learnt, the other undoes.

    Args:
        products: see above.
        base: the row of the base.

    Returns:
        float64 [K, K], degrees, 0 on the diagonal, NaN for a source that equals the base.
    """
    tasks = _task_products(products, base)
    lengths = np.sqrt(np.diag(tasks))
    lengths[lengths == 0] = np.nan
    cosines = np.clip(tasks / np.outer(lengths, lengths), -1.0, 1.0)
    np.fill_diagonal(cosines, np.where(np.isnan(lengths), np.nan, 1.0))
    return np.degrees(np.arccos(cosines))


def _report_share(report: Callable[[float], None], start: float, size: float, share: float) -> None:
    """Report a share of one chromosome as a position among all of them."""
    report(start + share * size)


def _task_products(products: np.ndarray, base: int) -> np.ndarray:
    """Return the task vectors' inner products: float64 [K, K], zero where a source is the base but for rounding."""
    to_base = products[:, base]
    tasks = products - to_base[:, None] - to_base[None, :] + products[base, base]
    same = np.diag(tasks) <= _ROUNDING * products[base, base]
    tasks[same, :] = 0.0
    tasks[:, same] = 0.0
    return np.asarray(tasks)
