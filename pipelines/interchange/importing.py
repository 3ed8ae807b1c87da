"""mergekit's YAML to a recipe: what each document makes of its inputs, in weights of the checkpoints at the bottom.

A document whose method is a weighted sum is one row of weights per tensor, and so is one that is made of such ones. One
whose method is not is woven once, and from then on a source like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipelines.checkpoints.component import first_difference
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.recipes.mergeable import check_mergeable
from pipelines.recipes.recipe import Recipe
from pipelines.storage.parallel import in_parallel

from .documents import MergeDocument
from .input_models import InputModel
from .made_recipe import MadeRecipe
from .tensor_names import FileTensorName, file_tensor_names
from .tensor_weights import input_weights

_CHUNK = 1 << 20  # elements of a tensor that inner products are summed over at a time


@dataclass(frozen=True)
class WovenMerge:
    """A document that is no weighted sum, with what it reads.

    Attributes:
        document: what is to be done.
        chain: it, and the documents before it.
        inputs: its models, in the order of `document.inputs`.
        tensors: what is merged.
        sources: the checkpoints that are in them.
        base: the checkpoint that lends what is not merged.
    """

    document: MergeDocument
    chain: tuple[MergeDocument, ...]
    inputs: tuple[InputModel, ...]
    tensors: tuple[FileTensorName, ...]
    sources: tuple[Source, ...]
    base: Source


@dataclass(frozen=True)
class ImportedMerge:
    """What a YAML became.

    Attributes:
        recipe: the merge.
        sources: its sources by name.
        notes: what is not as mergekit would have it, a sentence each.
    """

    recipe: Recipe
    sources: Mapping[str, Source]
    notes: tuple[str, ...]


def import_documents(
    documents: Sequence[MergeDocument],
    *,
    name: str,
    relative_to: Path = Path(),
    weave: Callable[[WovenMerge], Source],
) -> ImportedMerge:
    """Make the recipe of a YAML.

    Args:
        documents: as `read_documents` gives them.
        name: what to call the recipe.
        relative_to: the folder that its relative paths start from.
        weave: writes a merge that is no weighted sum, and opens what it wrote.

    Raises:
        RecipeError: a parameter that a method needs is missing for a tensor.
        SourceError: a model cannot be opened, or not be merged with the others.
    """
    return _Import(documents, relative_to, weave).recipe(name)


class _Import:
    """The models of a YAML: checkpoints, and rows of weights over them."""

    def __init__(self, documents: Sequence[MergeDocument], folder: Path, weave: Callable[[WovenMerge], Source]) -> None:
        self._documents = documents
        self._weave = weave
        made = {document.name for document in documents if document.name}
        uris = list(dict.fromkeys(one for document in documents for one in document.inputs if one not in made))
        self._sources = _open(uris, folder)
        check_mergeable(self._sources)
        self._notes: list[str] = []
        self._count = len(uris) + sum(document.method.woven for document in documents)
        self._tensors = self._comparable(file_tensor_names(self._sources[0]))
        self._rows: dict[str, np.ndarray] = {}  # by model: float64 [tensors, sources]
        for number, uri in enumerate(uris):
            self._rows[uri] = self._one_hot(number)

    def recipe(self, name: str) -> ImportedMerge:
        """Go through the documents, and return the last one's."""
        for document in self._documents:
            self._rows[document.name or ""] = self._resolve(document)
            if document.ignored:
                self._notes.append(f"{document.where}: {', '.join(document.ignored)} change nothing here.")
        last = self._documents[-1]
        made = MadeRecipe(tuple(self._sources), tuple(self._tensors), self._rows[""], self._sources[self._host(last)])
        notes = [*self._notes, *made.notes()]
        recipe = made.recipe(name)
        return ImportedMerge(recipe, {source.name: source for source in self._sources}, tuple(notes))

    def _resolve(self, document: MergeDocument) -> np.ndarray:
        """Return what a document makes, as weights of the checkpoints: float64 [tensors, sources]."""
        inputs = [self._rows[model] for model in document.inputs]
        if document.method.woven:
            return self._woven(document, inputs)
        stacked = np.stack(inputs, axis=1)  # [tensors, inputs, sources]
        found: dict[int, np.ndarray] = {}

        def work(number: int) -> int:
            tensor, rows = self._tensors[number], stacked[number]
            weights = input_weights(document, tensor.name, lambda: self._products(tensor, rows))
            found[number] = weights @ rows
            return number

        for _ in in_parallel(work, range(len(self._tensors))):
            pass
        return np.stack([found[number] for number in range(len(self._tensors))])

    def _woven(self, document: MergeDocument, inputs: Sequence[np.ndarray]) -> np.ndarray:
        used = np.flatnonzero(np.any(np.stack(inputs) != 0, axis=(0, 1)))
        models = tuple(
            InputModel(
                tuple(self._sources), {tensor.name: row for tensor, row in zip(self._tensors, rows, strict=True)}
            )
            for rows in inputs
        )
        base = self._sources[self._host(document)]
        chain = tuple(self._documents[: self._documents.index(document) + 1])
        made = self._weave(
            WovenMerge(document, chain, models, tuple(self._tensors), tuple(self._sources[k] for k in used), base)
        )
        self._sources.append(made)
        return self._one_hot(len(self._sources) - 1)

    def _comparable(self, tensors: Sequence[FileTensorName]) -> list[FileTensorName]:
        """Leave out components that not all checkpoints have, or have alike; the host lends them whole."""
        first, reasons = self._sources[0], dict[str, str]()
        for part in dict.fromkeys(tensor.component for tensor in tensors):
            for other in self._sources:
                if lacking := other.problem(part):
                    reasons[part] = f"{other.name} {lacking}"
                elif problem := first_difference(first.components[part], other.components[part]):
                    reasons[part] = f"in {other.name} {problem.rstrip('.')}"
        self._notes += [f"{part} is not merged, the host lends it: {reason}." for part, reason in reasons.items()]
        return [tensor for tensor in tensors if tensor.component not in reasons]

    def _one_hot(self, number: int) -> np.ndarray:
        rows = np.zeros((len(self._tensors), self._count))
        rows[:, number] = 1.0
        return rows

    def _host(self, document: MergeDocument) -> int:
        """Return which checkpoint lends what a document does not merge: its base, or the first that it is made of."""
        model = document.base or document.inputs[0]
        if document.method.woven and document.name is None and "" in self._rows:
            model = ""
        return int(np.argmax(self._rows[model].sum(axis=0)))

    def _products(self, tensor: FileTensorName, rows: np.ndarray) -> np.ndarray:
        """Return the inner products of the inputs over one tensor: float64 [inputs, inputs]."""
        used = np.flatnonzero(np.any(rows != 0, axis=0))
        total = np.zeros((len(used), len(used)))
        components = [self._sources[k].components[tensor.component] for k in used]
        for part in tensor.parts:
            size = torch.Size(components[0].tensors[part].shape).numel()
            for start in range(0, size, _CHUNK):
                single = torch.empty(len(used), min(_CHUNK, size - start))
                for component, row in zip(components, single, strict=True):
                    component.fill(part, start, row)
                exact = single.double()
                total += (exact @ exact.T).numpy()
        return np.asarray(rows[:, used] @ total @ rows[:, used].T)


def _open(uris: Sequence[str], folder: Path) -> list[Source]:
    """Open models, each under a name of its own: two of one name are called by their folders too."""
    opened = [open_source_uri(uri, relative_to=folder) for uri in uris]
    return [
        source
        if source.name == name
        else Source(source.path, name, source.contents, uri=source.uri, prediction=source.prediction)
        for source, name in zip(opened, _names(opened), strict=True)
    ]


def _names(opened: Sequence[Source]) -> list[str]:
    plain = [source.name for source in opened]
    return [
        name if plain.count(name) == 1 else f"{source.path.absolute().parent.name}-{name}"
        for name, source in zip(plain, opened, strict=True)
    ]
