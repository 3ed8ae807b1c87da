"""How far a set of pictures is from a set of photographs, as sets: CMMD. Numpy in, numpy out.

CMMD is the squared maximum mean discrepancy between CLIP embeddings of two sets of pictures, under a Gaussian kernel
(Jayasumana et al., "Rethinking FID: Towards a Better Evaluation Metric for Image Generation", CVPR 2024, arXiv
2401.09603). It asks for no captions and no pairs, and stands where M2N2's Table 2 has FID, which takes features for
Gaussian, needs far more pictures (both said in that paper's abstract), and a network that is no scorer here.

Where each part of the definition comes from:

    estimator        unbiased, as the paper's abstract says. The authors' program (google-research/cmmd, distance.py)
                     computes the biased one of Gretton et al. (JMLR 2012, Eq. 5) and says that the two are almost
                     equal. For its 30,000 pictures they are. For a hundred they are not: the biased one counts each
                     picture as its own neighbour, and so finds two halves of one set apart.
    kernel, scale    exp(-|x - y|^2 / (2 * 10^2)) and a factor of 1000: distance.py
    embeddings       of length 1: embedding.py there calls Scenic's CLIP, whose layers.py divides by the norm

The authors embed with OpenAI's ViT-L/14 at 336 pixels. Figures under another scorer are on another scale: compare them
with each other, never with published ones.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import MetricError

_SIGMA = 10.0
_SCALE = 1000.0
_BLOCK = 1000  # rows of the kernel matrix held at a time: 80 MB for 10,000 references


def cmmd(features: ArrayLike, references: ArrayLike) -> float:
    """Return the CMMD between two sets of pictures: larger is less alike.

    Two samples of one set are 0 apart on average.

    Args:
        features: image features [n, d] of any length above zero, in any order, such as `ClipScorer.image_features`.
        references: image features [m, d] by the same scorer, of the pictures to be like.

    Returns:
        The unbiased estimate times 1000, below zero by chance where the sets are alike.

    Raises:
        MetricError: fewer than two rows on a side, different d, or a row that is zero, NaN or infinite.
    """
    a, b = _directions("features", features), _directions("references", references)
    if a.shape[1] != b.shape[1]:
        raise MetricError(
            "expected features and references of one scorer, found {found} and {expected} numbers per picture",
            found=a.shape[1],
            expected=b.shape[1],
        )
    n, m = len(a), len(b)
    within = _kernel_sum(a, a) / (n * (n - 1)) + _kernel_sum(b, b) / (m * (m - 1))
    return float(_SCALE * (within - 2 * _kernel_sum(a, b) / (n * m)))


def _kernel_sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the sum of k(x, y) - 1 over all rows x of `a` and y of `b`.

    The ones cancel between the three means, and without them nothing is lost to rounding where all kernels are near 1;
    nor does a row's kernel with itself count. For rows of length 1, |x - y|^2 / 2 is 1 - cosine.
    """
    blocks = (a[start : start + _BLOCK] @ b.T for start in range(0, len(a), _BLOCK))  # cosines [block, m]
    return float(sum(np.expm1((cosines - 1.0) / _SIGMA**2).sum() for cosines in blocks))


def _directions(name: str, features: ArrayLike) -> NDArray[np.float64]:
    """Return features as float64 rows of length 1."""
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise MetricError(
            "{name}: expected an array [n, d] of at least two pictures, found shape {shape}",
            name=name,
            shape=rows.shape,
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    sound = (np.isfinite(lengths) & (lengths > 0))[:, 0]
    if not sound.all():
        row = int(np.argmin(sound))
        raise MetricError(
            "{name}: expected finite features that are not all zero, found otherwise in row {row}", name=name, row=row
        )
    return rows / lengths
