"""The task of the digits benchmark: pictures of digits, a small network, and what evolution starts from.

scikit-learn's digits, the first 80 % to train on (1,437 pictures), the rest to test (360), not shuffled; pixels as they
are stored, 0 to 16, not scaled. A network is one float32 vector of 19,210 weights in the order W1 [64, 256], b1 [256],
W2 [256, 10], b2 [10], in C order: a split point early in it divides the rows of the picture, one late the hidden units.
All of this is what the reference code of M2N2 (arXiv 2508.16204) does.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erfinv
from sklearn.datasets import load_digits

PIXELS, HIDDEN, CLASSES = 64, 256, 10
FIRST = (PIXELS + 1) * HIDDEN  # end of W1 and b1
SIZE = FIRST + (HIDDEN + 1) * CLASSES
SPREAD = 0.01  # standard deviation of new weights
TRAIN_SHARE = 0.8

LEARNING_RATE, STEPS = 0.003, 10  # of a specialist
SPECIALIST_SEED = 42

Weights = NDArray[np.float32]
Solved = NDArray[np.bool_]


class Pictures:
    """Pictures with their labels, and which of them a network gets right.

    Args:
        pixels: float [pictures, 64].
        labels: int [pictures], 0 to 9.
    """

    def __init__(self, pixels: NDArray[np.floating], labels: NDArray[np.integer]):
        # With a column of ones, W1 and b1, neighbours in the vector, are one matrix.
        ones = np.ones(len(pixels))
        self.pixels = torch.from_numpy(np.column_stack([pixels, ones]).astype(np.float32))  # [pictures, 65]
        self.labels = labels
        self._hidden = torch.empty(len(labels), HIDDEN)
        self._logits = torch.empty(len(labels), CLASSES)

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.labels)

    def solved(self, weights: Weights) -> Solved:
        """One forward pass: for each picture, whether the network's largest output is its label; bool [pictures]."""
        flat = torch.from_numpy(weights)
        second = flat[FIRST:].view(HIDDEN + 1, CLASSES)
        torch.mm(self.pixels, flat[:FIRST].view(PIXELS + 1, HIDDEN), out=self._hidden)
        torch.addmm(second[-1], self._hidden.relu_(), second[:-1], out=self._logits)
        return self._logits.numpy().argmax(axis=1) == self.labels


@cache
def digits() -> tuple[Pictures, Pictures]:
    """The pictures to train on and those to test on."""
    pixels, labels = load_digits(return_X_y=True)
    train = int(len(labels) * TRAIN_SHARE)
    return Pictures(pixels[:train], labels[:train]), Pictures(pixels[train:], labels[train:])


def new_weights(rng: np.random.Generator) -> Weights:
    """A network that knows nothing: N(0, 0.01^2)."""
    return rng.standard_normal(SIZE, dtype=np.float32) * np.float32(SPREAD)


@cache
def specialists() -> tuple[Weights, Weights]:
    """Two networks after ten full-batch Adam steps, one on the digits 0 to 4, one on 5 to 9.

    The same two for every run, as in the reference, and from the same random weights as there: the published figures
    and ours then differ by the evolution and not by where it starts.
    """
    train, _ = digits()
    keys = _threefry(np.array([0, SPECIALIST_SEED], np.uint32), np.arange(4, dtype=np.uint32)).reshape(2, 2)
    low = train.labels < CLASSES // 2
    return (
        _trained(jax_normal(keys[0], SIZE) * np.float32(SPREAD), train, low),
        _trained(jax_normal(keys[1], SIZE) * np.float32(SPREAD), train, ~low),
    )


def _trained(weights: Weights, pictures: Pictures, chosen: Solved) -> Weights:
    flat = torch.tensor(weights, requires_grad=True)
    pixels, labels = pictures.pixels[torch.from_numpy(chosen)], torch.from_numpy(pictures.labels[chosen])
    optimizer = torch.optim.Adam([flat], lr=LEARNING_RATE)
    for _ in range(STEPS):
        second = flat[FIRST:].view(HIDDEN + 1, CLASSES)
        hidden = torch.relu(pixels @ flat[:FIRST].view(PIXELS + 1, HIDDEN))
        loss = torch.nn.functional.cross_entropy(hidden @ second[:-1] + second[-1], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained: Weights = flat.detach().numpy()
    return trained


def jax_normal(key: NDArray[np.uint32], size: int) -> NDArray[np.float32]:
    """`jax.random.normal(key, (size,))` as JAX 0.4 drew it, up to the rounding of the inverse error function.

    Args:
        key: uint32 [2].
        size: how many numbers; even.
    """
    bits = _threefry(key, np.arange(size, dtype=np.uint32))
    # 23 random bits as the mantissa of a number in [1, 2), then to (-1, 1)
    unit = ((bits >> np.uint32(9)) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    low = np.nextafter(np.float32(-1), np.float32(0))
    uniform = np.maximum(low, unit * (np.float32(1) - low) + low)
    return (np.sqrt(2.0) * erfinv(uniform.astype(np.float64))).astype(np.float32)


def _threefry(key: NDArray[np.uint32], counters: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Threefry-2x32 with 20 rounds (Salmon et al. 2011); counters in the first half pair with those in the second."""
    a, b = (half.copy() for half in np.split(counters, 2))
    schedule = [key[:1], key[1:], key[:1] ^ key[1:] ^ np.uint32(0x1BD11BDA)]
    a, b = a + schedule[0], b + schedule[1]
    for group in range(5):
        for turn in (13, 15, 26, 6) if group % 2 == 0 else (17, 29, 16, 24):
            a = a + b
            b = ((b << np.uint32(turn)) | (b >> np.uint32(32 - turn))) ^ a
        a = a + schedule[(group + 1) % 3]
        b = b + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return np.concatenate([a, b])
