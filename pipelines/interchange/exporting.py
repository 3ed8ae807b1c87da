"""A recipe to mergekit's YAML: `linear`, with every weight of every tensor written out, for `mergekit-pytorch`.

What that program makes of a YAML decides how it is written here:

    filters are parts of names   each is a whole name, and a name that another one holds stands behind that
    the first that fits counts   so what most tensors have stands last, without a filter
    a weight of 0 is no weight   older versions go on looking; the least number that is none stands for it
    every tensor is merged       those that a recipe lends are taken from their lender whole
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.checkpoints.component import Component
from pipelines.checkpoints.sources import Source
from pipelines.errors import RecipeError
from pipelines.recipes.chromosome import WeightedSpan
from pipelines.recipes.pinning import check_sources, recipe_layouts
from pipelines.recipes.recipe import Recipe

from .tensor_names import FileTensorName, file_tensor_names

NEARLY_ZERO = 1e-45  # the least float32: times a weight it is zero, and in mergekit a weight nevertheless
_BUFFERS = (".position_ids", "logit_scale")  # of text encoders, which are never merged
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RoundedSplit:
    """A tensor in which a recipe's weights change, and to which one set of them was given.

    Attributes:
        tensor: its name in the file.
        elements: how many of its elements have other weights than the recipe's.
        relative: norm of what that changes over the norm of the tensor.
    """

    tensor: str
    elements: int
    relative: float


@dataclass(frozen=True)
class ExportedYaml:
    """A recipe as mergekit reads it.

    Attributes:
        text: the YAML.
        rounded: where it is not the recipe.
        missing: sources that are no single file, by the file that the YAML names in their place.
        elements: of all merged tensors.
    """

    text: str
    rounded: tuple[RoundedSplit, ...]
    missing: Mapping[Path, Source]
    elements: int

    def notes(self) -> list[str]:
        """Say where the YAML is not the recipe, and what it takes to run it."""
        notes = []
        if self.rounded:
            most = max(self.rounded, key=lambda one: one.relative)
            elements = sum(one.elements for one in self.rounded)
            notes.append(
                f"{len(self.rounded)} splits fall into a tensor and were rounded to its edge: "
                f"{elements / self.elements:.2%} of the weights have other shares than in the recipe, at most by "
                f"{most.relative:.2%} of a tensor's norm ({most.tensor})."
            )
        for path, source in self.missing.items():
            notes.append(
                f"mergekit-pytorch opens single files, and {source.name} is none. The YAML names {path}: write it with "
                f"`m2n2 recipe blend {shlex.quote(source.uri)} --out {shlex.quote(source.name)}.json` and `m2n2 merge "
                f"{shlex.quote(source.name)}.json --out {shlex.quote(str(path))}`."
            )
        return notes


def export_yaml(recipe: Recipe, sources: Mapping[str, Source], folder: Path) -> ExportedYaml:
    """Write a recipe as mergekit's YAML.

    A split that falls into a tensor is rounded to the nearer edge: the tensor gets the weights that most of it has.

    Args:
        recipe: the merge.
        sources: opened sources by the recipe's names.
        folder: where the YAML will lie; a source that is no single file is named as one there.

    Raises:
        RecipeError: the sources are not those that the recipe was made from, or one of them is no whole checkpoint.
    """
    check_sources(recipe, sources)
    ordered = [sources[named.name] for named in recipe.sources]
    tensors = file_tensor_names(sources[recipe.lender("unet")])
    rows, rounded = _rows(recipe, sources, tensors)
    used = [k for k in range(len(ordered)) if any(row[k] != 0 for row in rows.values())]
    if recipe.architecture != "any":
        _refuse_parts([ordered[k] for k in used], sources[recipe.lender("unet")])
    places = {k: _place(ordered[k], folder) for k in used}
    content: dict[str, Any] = {
        "merge_method": "linear",
        "models": [
            {
                "model": str(places[k]),
                "parameters": {
                    "weight": weight_conditions({name: row[k] for name, row in rows.items()}, _of_buffers(recipe, k))
                },
            }
            for k in used
        ],
        "parameters": {"normalize": False},
        "dtype": "float32",
    }
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True, width=1 << 16)
    about = (
        f"# {recipe.name or 'a recipe'} of m2n2-studio {recipe.digest}\n# mergekit-pytorch THIS_FILE OUTPUT_FOLDER\n"
    )
    return ExportedYaml(
        about + text,
        tuple(rounded),
        {places[k]: ordered[k] for k in used if _single_file(ordered[k]) is None},
        sum(tensor.size for tensor in tensors),
    )


def _refuse_parts(used: Sequence[Source], lender: Source) -> None:
    """Refuse what mergekit, which asks every file for every tensor, cannot take together."""
    for source in used:
        problem = next(filter(None, map(source.problem, WEIGHTED_COMPONENTS)), None)
        if problem is None and source.architecture.editing != lender.architecture.editing:
            problem = f"is {source.architecture}, and {lender.name} is {lender.architecture}"
        if problem:
            raise RecipeError(
                "{source} {problem}. mergekit merges whole checkpoints that have all tensors in common: build "
                "the recipe with `m2n2 merge` instead.",
                source=source.name,
                problem=problem,
            )


def _rows(
    recipe: Recipe, sources: Mapping[str, Source], tensors: list[FileTensorName]
) -> tuple[dict[str, tuple[float, ...]], list[RoundedSplit]]:
    """Return one weight per source for each tensor, by its name in the file, and where that is not the recipe's."""
    names = [one.name for one in recipe.sources]
    layouts = recipe_layouts(recipe, sources)
    owners = {(layout.component, part): layout for layout in layouts.values() for part in layout.names}
    rows, rounded = {}, []
    for tensor in tensors:
        if (tensor.component, tensor.parts[0]) not in owners:
            lender = recipe.lender(tensor.component)
            rows[tensor.name] = tuple(float(name == lender) for name in names)
            continue
        spans = []  # (canonical name, stretch of it)
        for part in tensor.parts:
            layout = owners[tensor.component, part]
            start, stop = layout.spans[part]
            spans += [
                (part, WeightedSpan(begin - start, end - start, weights))
                for begin, end, weights in recipe.chromosomes[layout.chromosome].spans_within(start, stop)
            ]
        sizes: Counter[tuple[float, ...]] = Counter()
        for _, span in spans:
            sizes[span.weights] += span.stop - span.start
        chosen = sizes.most_common(1)[0][0]
        rows[tensor.name] = chosen
        if len(sizes) > 1:
            weighted = recipe.weighted_sources(tensor.component)
            components = [sources[name].components[tensor.component] if name in weighted else None for name in names]
            rounded.append(_rounded(tensor.name, spans, chosen, components))
    return rows, rounded


def _rounded(
    name: str, spans: list[tuple[str, WeightedSpan]], chosen: tuple[float, ...], components: list[Component | None]
) -> RoundedSplit:
    """Measure what it changes to give one tensor one set of weights."""
    elements, moved, whole = 0, 0.0, 0.0
    for part, span in spans:
        difference = np.array(chosen) - np.array(span.weights)
        elements += (span.stop - span.start) * bool(np.any(difference != 0))
        for start in range(span.start, span.stop, _CHUNK):
            values = torch.zeros(len(components), min(_CHUNK, span.stop - start))
            for component, row in zip(components, values, strict=True):
                if component is not None:
                    component.fill(part, start, row)
            exact = values.double().numpy()
            moved += float(np.square(difference @ exact).sum())
            whole += float(np.square(np.array(span.weights) @ exact).sum())
    return RoundedSplit(name, elements, math.sqrt(moved / whole) if whole else 0.0)


def weight_conditions(weights: Mapping[str, float], of_buffers: float | None) -> list[dict[str, Any]]:
    """Write the weights of one model: whole names that differ, the longest first, then what most tensors have.

    Args:
        weights: by the names of tensors.
        of_buffers: that of `position_ids` and `logit_scale`; `None` where there are none.
    """
    usual = Counter(weights.values()).most_common(1)[0][0]
    others = {name for name, weight in weights.items() if weight != usual}
    named = sorted({*others, *_shadowed(weights, others)}, key=lambda name: (-len(name), name))
    return [
        *({"filter": name, "value": _written(of_buffers)} for name in _BUFFERS if of_buffers is not None),
        *({"filter": name, "value": _written(weights[name])} for name in named),
        {"value": _written(usual)},
    ]


def _of_buffers(recipe: Recipe, source: int) -> float | None:
    """Return the weight of a source in the buffers of text encoders: all of them are their lender's."""
    if recipe.architecture == "any":
        return None
    return float(recipe.sources[source].name == recipe.lender("text_encoder"))


def _shadowed(weights: Mapping[str, float], filters: set[str]) -> Iterator[str]:
    """Yield names without a filter of their own that hold another's, which would be taken for them."""
    by_length = Counter(map(len, filters))
    for name in weights:
        if name not in filters and any(
            name[start : start + length] in filters for length in by_length for start in range(len(name) - length + 1)
        ):
            yield name


def _written(weight: float) -> float:
    return float(weight) if weight else NEARLY_ZERO


def _place(source: Source, folder: Path) -> Path:
    """Return the file that the YAML names for a source."""
    return _single_file(source) or (folder / f"{source.name.replace('/', '-')}.safetensors").absolute()


def _single_file(source: Source) -> Path | None:
    """Return the safetensors file that a source is, whole and without adapters; `None` where it is none."""
    if source.uri != str(source.path):
        return None
    files = {file.path for component in source.components.values() for file in component.files}
    single = source.path.is_file() or source.recipe_architecture == "any"
    return next(iter(files)).absolute() if single and len(files) == 1 else None
