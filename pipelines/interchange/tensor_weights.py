"""mergekit's methods that are weighted sums of their inputs: the weights for one tensor, in float64.

SLERP, the Karcher mean and Model Stock take angles between whole tensors, and these are in the inner products of the
inputs alone: no tensor is touched here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from pipelines.errors import RecipeError
from pipelines.recipes.crossover import slerp_coefficients

from .documents import MergeDocument

COLLINEAR = 0.9995  # from this cosine on, mergekit's SLERP is linear
_NO_SUM = 1e-8  # weights that add up to less are not divided by their sum
_NO_WEIGHT = 1e-6  # NuSLERP's two weights cancel out
_NO_LENGTH = 1e-8  # of a vector that has no direction
_NO_SPAN = 1e-7  # the same for NuSLERP
_LEAST_PRODUCT = 1e-6  # of two lengths, under Model Stock's cosine
Products = Callable[[], np.ndarray]


def input_weights(document: MergeDocument, tensor: str, products: Products) -> np.ndarray:
    """Return how much of each input a merge puts into one tensor.

    Args:
        document: a merge whose method is not woven.
        tensor: its name in the file, which filters are held against.
        products: gives the inner products of the inputs over that tensor, float64 [inputs, inputs]; asked for only
            where the method takes angles.

    Returns:
        float64 [inputs], in the order of `document.inputs`.

    Raises:
        RecipeError: a parameter that the method needs says nothing for this tensor.
    """
    inputs, name = document.inputs, document.method.name
    if name == "linear":
        weights = np.array([float(document.of_model(model, "weight", tensor)) for model in inputs])
        normalize = bool(document.shared("normalize", tensor))
        if normalize and weights.sum() == 0:
            raise RecipeError(
                "{where}: the weights of the tensor {tensor} add up to 0, which nothing can be divided by. "
                "Expected a sum near 1, or `normalize: false`.",
                where=document.where,
                tensor=tensor,
            )
        return linear_weights(weights, normalize=normalize)
    if name == "karcher":
        limits = int(document.shared("max_iter", tensor)), float(document.shared("tol", tensor))
        return karcher_weights(products(), most_steps=limits[0], tolerance=limits[1])
    if name == "passthrough":
        return np.array([float(document.of_model(inputs[0], "scale", tensor))])
    if name == "nuslerp":
        pair = [place for place, model in enumerate(inputs) if model != document.base]
        weights = np.array([float(document.of_model(inputs[place], "weight", tensor)) for place in pair])
        return nuslerp_weights(weights, products(), pair)
    base = inputs.index(document.base or "")
    if name == "slerp":
        return slerp_weights(float(document.shared("t", tensor)), products(), base)
    if name == "model_stock":
        return stock_weights(products(), base)
    weights = np.array(
        [0.0 if model == document.base else float(document.of_model(model, "weight", tensor)) for model in inputs]
    )
    return task_weights(
        weights,
        base,
        normalize=bool(document.shared("normalize", tensor)),
        factor=float(document.shared("lambda", tensor)),
    )


def linear_weights(weights: np.ndarray, *, normalize: bool) -> np.ndarray:
    """Return the weights of a weighted mean, or of a weighted sum where they are not normalized: float64 [inputs]."""
    return weights / weights.sum() if normalize else weights


def task_weights(weights: np.ndarray, base: int, *, normalize: bool = False, factor: float = 1.0) -> np.ndarray:
    """Return weights for `base + factor * sum(weights * (model - base))`: float64 [inputs].

    Args:
        weights: float64 [inputs], zero for the base.
        base: its place among the inputs.
        normalize: whether weights are divided by their sum first.
        factor: mergekit's lambda.
    """
    total = weights.sum()
    scaled = factor * (weights / total if normalize and abs(total) >= _NO_SUM else weights)
    scaled[base] = 1.0 - scaled.sum()
    return np.asarray(scaled)


def slerp_weights(t: float, products: np.ndarray, base: int) -> np.ndarray:
    """Return the weights of SLERP from the base to the other input: float64 [2].

    Args:
        t: 0 gives the base, 1 the other.
        products: float64 [2, 2], the inner products of the inputs.
        base: the place of the base, 0 or 1.
    """
    lengths = np.sqrt(np.diag(products))
    divisors = np.where(lengths > _NO_LENGTH, lengths, 1.0)
    cosine = float(products[0, 1] / (divisors[0] * divisors[1]))
    of_base, of_other = (1.0 - t, t) if abs(cosine) > COLLINEAR else slerp_coefficients(t, cosine)
    return np.array([of_base, of_other] if base == 0 else [of_other, of_base])


def nuslerp_weights(weights: np.ndarray, products: np.ndarray, pair: Sequence[int]) -> np.ndarray:
    """Return the weights of NuSLERP: SLERP of two models, or of what both changed of a third: float64 [inputs].

    Args:
        weights: float64 [2]; the share of the second in their sum is what SLERP calls t, a half where they cancel out.
        products: float64 [inputs, inputs], the inner products of the inputs.
        pair: places of the two models; a third input is the base.
    """
    t = 0.5 if abs(weights.sum()) < _NO_WEIGHT else float(weights[1] / weights.sum())
    base = next((place for place in range(len(products)) if place not in pair), None)
    vectors = np.eye(len(products))[list(pair)]
    if base is not None:
        vectors = vectors - np.eye(len(products))[base]
    inner = vectors @ products @ vectors.T
    lengths = np.sqrt(np.maximum(np.diag(inner), 0.0)).clip(min=_NO_SPAN)
    scalars = slerp_coefficients(t, float(inner[0, 1] / (lengths[0] * lengths[1])))
    found = np.zeros(len(products))
    found[list(pair)] = scalars
    if base is not None:
        found[base] = 1.0 - sum(scalars)
    return found


def karcher_weights(products: np.ndarray, *, most_steps: int = 10, tolerance: float = 1e-5) -> np.ndarray:
    """Return the weights of the Karcher mean on the sphere, scaled to the mean length of the inputs: float64 [inputs].

    A vector here is a row of coefficients over the inputs; `a @ products @ b` is its inner product with another.

    Args:
        products: float64 [inputs, inputs].
        most_steps: of the iteration.
        tolerance: a step or a length that is smaller counts as none.
    """
    count = len(products)
    lengths = np.sqrt(np.maximum(np.diag(products), 0.0))
    if count == 1:
        return np.ones(1)
    kept = [k for k in range(count) if lengths[k] > tolerance]
    if not kept:
        return np.zeros(count)
    units = {k: np.eye(count)[k] / lengths[k] for k in kept}
    share = 1.0 / len(kept)

    def length(vector: np.ndarray) -> float:
        return math.sqrt(max(float(vector @ products @ vector), 0.0))

    mean = np.sum([share * unit for unit in units.values()], axis=0)
    mean = units[kept[0]] if length(mean) < tolerance else mean / length(mean)
    for _ in range(most_steps):
        tangent = np.zeros(count)
        for unit in units.values():
            cosine = min(1.0, max(-1.0, float(mean @ products @ unit)))
            angle = math.acos(cosine)
            if angle >= tolerance:
                tangent += share * angle / math.sin(angle) * (unit - cosine * mean)
        step = length(tangent)
        if step < tolerance:
            break
        mean = math.cos(step) * mean + math.sin(step) * tangent / step
        mean = mean / length(mean) if length(mean) > tolerance else mean
    return np.asarray(lengths.mean() * mean)


def stock_weights(products: np.ndarray, base: int) -> np.ndarray:
    """Return the weights of Model Stock (arXiv 2403.19522), with the mean of the pairwise cosines: float64 [inputs].

    Args:
        products: float64 [inputs, inputs].
        base: the place of the base among the inputs.
    """
    others = [k for k in range(len(products)) if k != base]
    offsets = np.eye(len(products)) - np.eye(len(products))[base]
    inner = offsets @ products @ offsets.T
    lengths = np.sqrt(np.maximum(np.diag(inner), 0.0))
    cosine = float(
        np.mean(
            [
                min(1.0, max(-1.0, inner[i, j] / max(lengths[i] * lengths[j], _LEAST_PRODUCT)))
                for i, j in itertools.combinations(others, 2)
            ]
        )
    )
    ratio = len(others) * cosine / (1.0 + (len(others) - 1) * cosine)
    weights = np.full(len(products), ratio / len(others))
    weights[base] = 1.0 - ratio
    return weights
