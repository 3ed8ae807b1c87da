"""What a scorer is to the rest of the house: protocols that open_clip models satisfy, and others may."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Scorer(Protocol):
    """A model that says how well a picture fits a caption.

    Scores of different scorers are on different scales: never mix them, and store `identity` with every score.
    """

    @property
    def name(self) -> str:
        """What the scorer is opened by, as run files hold it."""

    @property
    def identity(self) -> dict[str, Any]:
        """What a score depends on besides picture and caption; JSON, with `name` and `sha256` at least."""

    @property
    def context_length(self) -> int:
        """How many tokens of a caption count."""

    @property
    def weights_bytes(self) -> int:
        """Memory that the weights take, on the device or, parked, beside it."""

    @property
    def parked(self) -> bool:
        """Whether the weights wait in main memory; never on the CPU."""

    def park(self) -> None:
        """Leave the device to others: weights wait in main memory and visit the device only while they are used."""

    def unpark(self) -> None:
        """Bring the weights back to the device, to stay.

        Raises:
            ScorerError: the device has no room for them; they stay in main memory.
        """

    def on_device(self) -> AbstractContextManager[None]:
        """The weights on the device inside, and back where they were after: scores are the same bits, parked or not.

        Raises:
            ScorerError: the device has no room for the weights.
        """

    def release(self) -> None:
        """Free the weights, on the device and beside it; the scorer scores no more. For the next one to have room."""

    def score(self, pictures: Sequence[Image.Image], captions: Sequence[str]) -> NDArray[np.float64]:
        """How well each picture fits its own caption.

        Returns:
            float64 [n], in 0..1. The same pictures and captions in the same order give the same bits.

        Raises:
            ScorerError: not one caption per picture, there is none, or the device is full.
        """

    def truncated(self, captions: Sequence[str]) -> list[str]:
        """The captions of which only the beginning counts: those longer than `context_length`."""


class FeatureScorer(Scorer, Protocol):
    """A scorer that sees pictures and captions as vectors of one space; a score is the cosine of two, in 0..1.

    The consistency of a prompt's two pictures, likeness to a reference picture, CMMD and raters' tastes are made of
    features: what computes them asks for such a scorer.
    """

    def image_features(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Features of pictures of any size.

        Returns:
            float32 [n, d], rows of length 1. The same pictures in the same order give the same bits.

        Raises:
            ScorerError: there is none, the model gives NaN, or the device is full.
        """

    def text_features(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Features of captions; one's bits do not depend on the others.

        Returns:
            float32 [n, d], rows of length 1.

        Raises:
            ScorerError: there is none, the model gives NaN, or the device is full.
        """
