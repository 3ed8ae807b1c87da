"""One pass over the same component of some sources: what everything else here is worked out from."""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch

from pipelines.architectures.keys import is_merged
from pipelines.checkpoints.component import Component, first_difference
from pipelines.recipes.gram import CHUNK_ELEMENTS, compute_block_products
from pipelines.storage.finite import is_finite


@dataclass(frozen=True)
class ComponentMeasures:
    """What one pass over a component of K sources found.

    Attributes:
        component: its name.
        shapes: of its tensors, by canonical name.
        products: by tensor, the inner products of its values in the K sources: float64 [K, K]. Values that are not
            finite count as zero.
        not_finite: for each source, by tensor, how many values are NaN or infinite; tensors without any are left out.
    """

    component: str
    shapes: Mapping[str, tuple[int, ...]]
    products: Mapping[str, np.ndarray]
    not_finite: Sequence[Mapping[str, int]]

    def sizes(self, row: int) -> dict[str, float]:
        """Return the root mean square of each tensor of one of the sources."""
        return {
            name: math.sqrt(products[row, row] / math.prod(self.shapes[name]))
            for name, products in self.products.items()
        }


def same_build(components: Sequence[Component | None]) -> list[list[int]]:
    """Group components that have the same tensors in the same shapes.

    Args:
        components: the same one of several sources; `None` where a source has none.

    Returns:
        Their places, group by group.
    """
    groups: list[tuple[Component, list[int]]] = []
    for place, component in enumerate(components):
        if component is None:
            continue
        for first, places in groups:
            if first_difference(first, component) is None:
                places.append(place)
                break
        else:
            groups.append((component, [place]))
    return [places for _, places in groups]


def measure_components(
    components: Sequence[Component], progress: Callable[[float], None] | None = None
) -> ComponentMeasures:
    """Read the same component of K sources once, side by side; in memory are a few blocks of each.

    Args:
        components: of the same build, see `same_build`.
        progress: told the share that is done, 0..1; raise in it to give up.

    Raises:
        SourceError: a file has become shorter, or cannot be read any more.
    """
    refs = components[0].tensors
    shapes = {
        name: ref.shape for name, ref in refs.items() if is_merged(name, ref.dtype) and torch.Size(ref.shape).numel()
    }
    names, stops = list(shapes), list(accumulate(torch.Size(shape).numel() for shape in shapes.values()))
    broken: list[Counter[str]] = [Counter() for _ in components]
    one_counter, scratch = threading.Lock(), _Scratch(len(components))

    def read(start: int, stop: int) -> np.ndarray:
        number, size = bisect_right(stops, start), stop - start
        offset = start - (stops[number - 1] if number else 0)
        for row, component, counted in zip(scratch.exact, components, broken, strict=True):
            single = scratch.single[:size]
            component.fill(names[number], offset, single, scratch=scratch.stored)
            if not is_finite(single):
                with one_counter:
                    counted[names[number]] += int((~torch.isfinite(single)).sum())
                single.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
            row[:size].copy_(single)
        values: np.ndarray = scratch.exact[:, :size].numpy()  # [K, n]
        return values

    products = compute_block_products(stops, read, progress)
    return ComponentMeasures(components[0].name, shapes, dict(zip(names, products, strict=True)), broken)


class _Scratch(threading.local):
    """Memory that one thread reads into; every thread has its own, made when it first asks for it."""

    def __init__(self, rows: int) -> None:
        self.single = torch.empty(CHUNK_ELEMENTS)
        self.exact = torch.empty(rows, CHUNK_ELEMENTS, dtype=torch.float64)
        self.stored = torch.empty(8 * CHUNK_ELEMENTS, dtype=torch.uint8)
