"""Weave: build the weights of a recipe. One plan, run to disk or in place into a live model.

Each tensor is a weighted sum of the sources' float32 values, rounded once to the dtype of the host's file. The sum is a
product and an addition at a time, never fused, so that the same recipe gives the same bytes on every machine. A live
model gets the same rounded values: what is judged is what is exported.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch

from .errors import RecipeError
from .keys import chromosome_of, is_merged
from .recipe import Recipe, check_sources
from .sources import Component, Source, check_mergeable

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}

Pieces = tuple[tuple[int, int, tuple[float, ...]], ...]  # (start, stop, a weight per source), elements of one tensor


@dataclass(frozen=True)
class Thread:
    """How one tensor comes about: pieces to sum over the sources, or `None` to take the lender's as it is."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    pieces: Pieces | None


class Plan:
    """What a recipe asks of its sources, tensor by tensor, in canonical order; checked before anything is built."""

    def __init__(self, recipe: Recipe, sources: Mapping[str, Source], *, dtype: torch.dtype | None = None) -> None:
        """Check the recipe against its sources and lay out every tensor.

        Args:
            recipe: what to build.
            sources: opened sources by the recipe's names.
            dtype: of the merged tensors; the dtype of the host's file if left out.

        Raises:
            RecipeError: a source is missing or is not the one the recipe was made from.
        """
        check_sources(recipe, sources)
        check_mergeable([sources[named.name] for named in recipe.sources])
        self.recipe = recipe
        self.sources = sources
        self._ordered = [sources[named.name] for named in recipe.sources]
        self.threads = {part: tuple(self._threads(part, dtype)) for part in recipe.merged_components}

    def _threads(self, component: str, dtype: torch.dtype | None) -> Iterator[Thread]:
        lender = self.sources[self.recipe.lender(component)].components[component]
        for name, ref in lender.tensors.items():
            chromosome = chromosome_of(component, name)
            stored = DTYPES[ref.dtype]
            if not is_merged(name, ref.dtype):
                yield Thread(name, ref.shape, stored, None)
                continue
            layout = lender.layouts[chromosome]
            start, stop = layout.spans[name]
            cut = self.recipe.chromosomes[chromosome].pieces(start, stop)
            pieces = tuple((begin - start, end - start, weights) for begin, end, weights in cut)
            yield Thread(name, ref.shape, dtype or stored, pieces)

    def tensor(self, component: str, thread: Thread) -> torch.Tensor:
        """Build one tensor.

        Raises:
            RecipeError: the sum is not finite in its dtype.
        """
        if thread.pieces is None:
            return self.sources[self.recipe.lender(component)].components[component].read(thread.name)
        parts = [source.components[component] for source in self._ordered]
        if len(thread.pieces) == 1:
            summed = _weighted_sum(parts, thread.name, *thread.pieces[0])
        else:
            summed = torch.cat([_weighted_sum(parts, thread.name, *piece) for piece in thread.pieces])
        woven = summed.to(thread.dtype)
        if not bool(torch.isfinite(woven).all()):
            raise RecipeError(
                f"Tensor {thread.name} overflows {thread.dtype}. Expected weights near a mean of the sources; "
                "lower the recipe's weights or export as float32."
            )
        return woven.reshape(thread.shape)


class LiveWeights:
    """A live module whose parameters are woven in place, again and again; only tensors that change are touched.

    The parameters stay where they are, so a compiled model, CUDA graphs and attention backends stay valid.
    """

    def __init__(self, component: str, module: torch.nn.Module) -> None:
        self.component = component
        self._parameters: dict[str, torch.Tensor] = module.state_dict(keep_vars=True)
        self._held: dict[str, tuple[object, ...]] = {}

    @torch.no_grad()
    def weave(self, plan: Plan) -> int:
        """Bring the module to a plan; returns how many tensors were touched."""
        identity = (
            tuple(source.components[self.component].sha256 for source in plan._ordered),
            plan.recipe.lender(self.component),
        )
        if not self._held:
            self._check(plan)
        touched = 0
        for thread in plan.threads[self.component]:
            wanted = (thread.pieces, thread.dtype, identity)
            if self._held.get(thread.name) == wanted:
                continue
            self._parameter(thread.name).copy_(plan.tensor(self.component, thread))
            self._held[thread.name] = wanted
            touched += 1
        return touched

    def _check(self, plan: Plan) -> None:
        """Every tensor of the module has a thread: nothing stays as it was built."""
        woven = {id(self._parameter(thread.name)) for thread in plan.threads[self.component]}
        left = [name for name, parameter in self._parameters.items() if id(parameter) not in woven]
        if left:
            raise RecipeError(
                f"The source's {self.component} lacks {left[0]}, which its config asks for; fetch it again."
            )

    def _parameter(self, name: str) -> torch.Tensor:
        """A tensor of the module by canonical name; transformers drops `text_model.` in memory."""
        for candidate in (name, name.removeprefix("text_model.")):
            if candidate in self._parameters:
                return self._parameters[candidate]
        raise RecipeError(f"The live {self.component} has no tensor {name}; expected the architecture of its source.")


def weave_file(
    plan: Plan,
    component: str,
    path: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a component's woven weights as one safetensors file, a tensor at a time; the same bytes every time.

    safetensors' own writer wants all tensors in memory at once, which a full-size UNet does not allow.

    Args:
        plan: what to build.
        component: which part of it.
        path: the file to write; the caller puts it beside its target and renames.
        metadata: for the file's header.
        progress: told the bytes written so far.
    """
    threads = plan.threads[component]
    header: dict[str, object] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    offset = 0
    for thread in threads:
        length = thread.dtype.itemsize * torch.Size(thread.shape).numel()
        code = next(code for code, dtype in DTYPES.items() if dtype == thread.dtype)
        header[thread.name] = {"dtype": code, "shape": thread.shape, "data_offsets": [offset, offset + length]}
        offset += length
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the data section begins on a multiple of 8
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for thread in threads:
            _write_tensor(file, plan.tensor(component, thread))
            if progress:
                progress(file.tell())


def _write_tensor(file: BinaryIO, tensor: torch.Tensor) -> None:
    file.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _weighted_sum(parts: list[Component], name: str, start: int, stop: int, weights: tuple[float, ...]) -> torch.Tensor:
    """`sum_k weights[k] * parts[k]` over a stretch of one tensor: float32 [stop - start].

    A product and an addition are two roundings here on purpose: a fused one differs between processors.
    """
    total: torch.Tensor | None = None
    for part, weight in zip(parts, weights, strict=True):
        if weight == 0.0:
            continue
        term = part.read(name).reshape(-1)[start:stop].to(torch.float32)
        term = term if weight == 1.0 else term * weight
        total = term if total is None else total + term
    return torch.zeros(stop - start) if total is None else total
