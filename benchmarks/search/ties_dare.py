"""TIES and DARE, merges that are no weighted sums of the sources: dense weights, opened as one more source.

Both start from task vectors, what a fine-tuned model has more than its base (Ilharco et al., arXiv 2212.04089), and add
one vector that they make of all of them to the base again, times a scale. That last step is linear, so one folder is
written for a scale of 1, and every other scale is a recipe over it and the base.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipelines.checkpoints.sources import Source, open_source
from pipelines.exporting.export import WEIGHT_FILE_NAMES

Floats = NDArray[np.float32]


def trim(task_vector: Floats, density: float) -> Floats:
    """The `density` share of a vector with the largest magnitudes, zero elsewhere (TIES, section 4, step 1); [n]."""
    magnitude = np.abs(task_vector)
    kept = max(1, round(density * len(task_vector)))
    least = np.partition(magnitude, -kept)[-kept]
    return np.where(magnitude >= least, task_vector, np.float32(0))


def ties(task_vectors: Floats, *, density: float) -> Floats:
    """TIES-Merging (Yadav et al., arXiv 2306.01708, section 4): trim, elect a sign, mean of those that have it.

    Args:
        task_vectors: float32 [models, n].
        density: share of each that is kept; the paper's choice where nothing is tuned is 0.2.

    Returns:
        float32 [n]; zero where nobody's is kept or the signs outweigh each other exactly.
    """
    trimmed = np.stack([trim(vector, density) for vector in task_vectors])
    agreeing = np.where(np.sign(trimmed) == np.sign(trimmed.sum(axis=0)), trimmed, np.float32(0))
    merged: Floats = agreeing.sum(axis=0) / np.maximum((agreeing != 0).sum(axis=0), 1).astype(np.float32)
    return merged


def dare(task_vectors: Floats, rng: np.random.Generator, *, drop: float) -> Floats:
    """DARE with task arithmetic (Yu et al., arXiv 2311.03099, section 3): drop elements at random, rescale, add up.

    Args:
        task_vectors: float32 [models, n].
        rng: decides what is dropped.
        drop: probability of it; what stays is divided by 1 - drop, so the expectation is the plain sum.

    Returns:
        float32 [n].
    """
    total = np.zeros(task_vectors.shape[1], dtype=np.float32)
    for vector in task_vectors:
        total += np.where(rng.random(len(vector), dtype=np.float32) >= drop, vector / np.float32(1 - drop), 0)
    return total


def task_vectors(sources: Mapping[str, Source], base: str) -> Floats:
    """What every other source's UNet has more than the base's: float32 [sources - 1, elements]."""
    flat = {name: _flat(source) for name, source in sources.items()}
    return np.stack([flat[name] - flat[base] for name in sources if name != base])


def added(base: Source, difference: Floats, folder: Path) -> Source:
    """The base with a difference added to its UNet, written to `folder` as float32 and opened by the folder's name.

    Args:
        base: whose configuration it has.
        difference: float32 [elements], as `task_vectors` lays them out.
        folder: a new one.
    """
    flat, start, tensors = _flat(base) + difference, 0, {}
    for layout in base.components["unet"].layouts.values():
        for name, shape in zip(layout.names, layout.shapes, strict=True):
            tensors[name] = flat[start : start + int(np.prod(shape))].reshape(shape)
            start += tensors[name].size
    (folder / "unet").mkdir(parents=True)
    save_file(tensors, folder / "unet" / WEIGHT_FILE_NAMES["unet"])
    shutil.copyfile(base.path / "unet" / "config.json", folder / "unet" / "config.json")
    shutil.copytree(base.path / "scheduler", folder / "scheduler")  # says what the UNet predicts
    return open_source(folder)


def _flat(source: Source) -> Floats:
    """All chromosomes of the UNet one after the other: float32 [elements]."""
    unet = source.components["unet"]
    return np.concatenate([unet.read_flat(layout, 0, layout.size).numpy() for layout in unet.layouts.values()])
