"""The tensors of a checkpoint as mergekit sees them: those of a single file, by the names and shapes that it has there.

CLIP-G's q, k and v are one tensor there, which matters to methods that look at whole tensors.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.architectures.keys import MODEL, is_merged
from pipelines.architectures.sdxl_single_file import to_single_file
from pipelines.checkpoints.component import Component
from pipelines.checkpoints.sources import Source
from pipelines.errors import SourceError


@dataclass(frozen=True)
class FileTensorName:
    """One tensor of a single file, and what it is made of here.

    Attributes:
        name: its name in the file.
        component: the component that it belongs to.
        parts: canonical names, stacked along dimension 0 in this order.
        shape: as the file states it.
        transposed: whether the file holds the transpose.
    """

    name: str
    component: str
    parts: tuple[str, ...]
    shape: tuple[int, ...]
    transposed: bool = False

    @property
    def size(self) -> int:
        """The number of its elements."""
        return math.prod(self.shape)


def file_tensor_names(source: Source) -> list[FileTensorName]:
    """List the tensors of a source that can be merged, in the order of a checkpoint.

    A source that is a single file has the names that it has; another one those that it would have as one.
    """
    return [tensor for component in source.components.values() for tensor in _of_component(source, component)]


def _of_component(source: Source, component: Component) -> Iterator[FileTensorName]:
    refs = {name: ref for name, ref in component.tensors.items() if is_merged(name, ref.dtype)}
    prefix = "" if component.name == MODEL else f"{component.name}/"
    laid_out = None
    if component.name != MODEL:
        with contextlib.suppress(SourceError):  # what no single file holds keeps the names of its own files
            laid_out = to_single_file(component.name, {name: ref.shape for name, ref in refs.items()})
    if laid_out is None:
        for name, ref in refs.items():
            yield FileTensorName(f"{prefix}{name}", component.name, (name,), ref.shape)
        return
    for tensor in laid_out:
        first = refs[tensor.parts[0]]
        name = first.key if first.file is not None and source.path.is_file() else tensor.key
        yield FileTensorName(name, component.name, tensor.parts, tensor.shape, tensor.transposed)
