"""Weave: build the weights of a recipe, in place in a live model or to disk, with every core and little memory.

Workers take blocks of about a million elements: each reads the sources, sums in scratch memory that stays in the
processor's cache, and puts the result where it belongs. Which worker takes which block changes nothing in the result.
Sources are read through their memory maps for a live model, which asks for them again and again, and straight from
their files for a result on disk.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines.architectures.keys import canonical_name, is_merged
from pipelines.errors import RecipeError
from pipelines.storage.parallel import WORKERS, in_parallel
from pipelines.storage.tensor_file import CODES

from .plan import Looms, Plan, Thread

BLOCK = 1 << 20  # elements; 4 MB in float32, twice of which stays in a core's share of the cache
DEVICE_BLOCK = 1 << 24  # on an accelerator, where a launch costs as much as a million additions


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: the threads that follow one another in it, or a value that comes from no source.

    `transposed` says that the file holds the transpose of its only thread.
    """

    key: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    threads: tuple[Thread, ...] = ()
    transposed: bool = False
    value: torch.Tensor | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class LiveWeights:
    """A live module, or tensors by name, woven in place again and again; only tensors that change are touched.

    The parameters stay where they are, so a compiled model, CUDA graphs and attention backends stay valid.
    """

    def __init__(self, component: str, module: torch.nn.Module | Mapping[str, torch.Tensor]) -> None:
        self.component = component
        tensors = module if isinstance(module, Mapping) else module.state_dict(keep_vars=True)
        self._parameters = {canonical_name(component, key): tensor for key, tensor in tensors.items()}
        self._held: dict[str, tuple[object, ...]] = {}

    @torch.no_grad()
    def weave(self, plan: Plan) -> int:
        """Bring the module to a plan; returns how many tensors were touched.

        Raises:
            RecipeError: the module and its source differ in a tensor, or a sum overflows.
        """
        identity = (
            tuple(part.sha256 for part in plan.parts(self.component))
            if self.component in plan.recipe.merged_components
            else (),
            plan.lender(self.component).components[self.component].sha256,
        )
        wanted = {
            thread.name: (thread, (thread.pieces, thread.dtype, identity)) for thread in plan.threads(self.component)
        }
        if not self._held:
            self._check(wanted)
        changed = {
            name: (thread, key)
            for name, (thread, key) in wanted.items()
            if name in self._parameters and self._held.get(name) != key
        }
        if changed:
            self._put(plan, [thread for thread, _ in changed.values()])
            self._held |= {name: key for name, (_, key) in changed.items()}
        return len(changed)

    def _put(self, plan: Plan, threads: Sequence[Thread]) -> None:
        device = next(iter(self._parameters.values())).device
        block, workers = (BLOCK, WORKERS) if device.type == "cpu" else (DEVICE_BLOCK, 1)
        looms = Looms(block, device)

        def put(job: tuple[Thread, int, int]) -> int:
            thread, start, stop = job
            target = self._parameters[thread.name].data
            if target.is_contiguous():
                target.view(-1)[start:stop].copy_(plan.block(thread, start, stop, looms.loom))
            elif start == 0:  # channels last, say: its memory has another order
                target.copy_(plan.tensor(thread))
            return stop - start

        for thread in threads:
            self._held.pop(thread.name, None)  # an overflow halfway leaves no tensor that claims to be done
        for _ in in_parallel(put, (job for thread in threads for job in _blocks(thread, block)), workers=workers):
            pass

    def _check(self, wanted: Mapping[str, tuple[Thread, object]]) -> None:
        """Every tensor of the module has a thread of its shape, and the other way round."""
        for name, parameter in self._parameters.items():
            if name not in wanted:
                raise RecipeError(
                    f"The source's {self.component} lacks {name}, which its config asks for; fetch it again."
                )
            found = wanted[name][0].shape
            if tuple(parameter.shape) != found:
                raise RecipeError(
                    f"{name} of the source's {self.component} has shape {list(found)}, its config asks for "
                    f"{list(parameter.shape)}; the config belongs to another checkpoint."
                )
        for name, (thread, _) in wanted.items():
            if name not in self._parameters and is_merged(name, CODES[thread.dtype]):
                raise RecipeError(
                    f"The live {self.component} has no tensor {name}; expected the architecture of its source."
                )


def component_entries(plan: Plan, component: str) -> list[Entry]:
    """A component as a file of its own, under canonical names."""
    return [Entry(thread.name, thread.shape, thread.dtype, (thread,)) for thread in plan.threads(component)]


def weave_file(
    plan: Plan | None,
    entries: Iterable[Entry],
    path: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write woven weights as one safetensors file, block by block; the same bytes every time.

    safetensors' own writer wants all tensors in memory at once, which a full-size checkpoint does not allow.

    Args:
        plan: what to build; `None` where every entry brings its value.
        entries: what the file holds; wider dtypes come first in it, so that every tensor is aligned.
        path: the file to write; the caller puts it beside its target and renames.
        metadata: for the file's header.
        progress: told the tensor bytes written so far; raise in it to give up.

    Raises:
        RecipeError: a sum overflows.
        SourceError: a source's file has become shorter since it was opened.
        OSError: the disk is full or cannot be written.
    """
    ordered = sorted(entries, key=lambda entry: -entry.dtype.itemsize)
    header: dict[str, object] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    offset = 0
    for entry in ordered:
        header[entry.key] = {
            "dtype": CODES[entry.dtype],
            "shape": entry.shape,
            "data_offsets": [offset, offset + entry.size],
        }
        offset += entry.size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the data section begins on a multiple of 8
    looms = Looms(BLOCK, once=True)
    turn = threading.Lock()  # the system lets one at a time into a file, and those who wait there spin
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.flush()
        descriptor = file.fileno()

        def put(job: tuple[int, Thread | torch.Tensor, int, int]) -> int:
            position, what, start, stop = job
            if isinstance(what, torch.Tensor):
                values = what
            else:
                assert plan is not None
                values = plan.block(what, start, stop, looms.loom)
            content = memoryview(values.contiguous().reshape(-1).view(torch.uint8).numpy().data)
            size = len(content)
            with turn:
                while content:  # a write may take less than it is given
                    written = os.pwrite(descriptor, content, position)
                    position, content = position + written, content[written:]
            return size

        done = 0
        for written in in_parallel(put, _file_jobs(plan, ordered, 8 + len(text))):
            done += written
            if progress:
                progress(done)


def _file_jobs(
    plan: Plan | None, entries: Sequence[Entry], position: int
) -> Iterator[tuple[int, Thread | torch.Tensor, int, int]]:
    """(position in the file, thread or ready value, first element, end) for every block."""
    for entry in entries:
        if entry.transposed:
            assert plan is not None
            (thread,) = entry.threads
            yield position, plan.tensor(thread).t(), 0, thread.size
        elif entry.value is not None:
            yield position, entry.value.to(entry.dtype), 0, entry.value.numel()
        else:
            assert plan is not None
            at = position
            for thread in entry.threads:
                for _, start, stop in _blocks(thread, BLOCK):
                    yield at + start * entry.dtype.itemsize, thread, start, stop
                at += thread.size * entry.dtype.itemsize
        position += entry.size


def _blocks(thread: Thread, block: int) -> Iterator[tuple[Thread, int, int]]:
    for start in range(0, thread.size, block):
        yield thread, start, min(start + block, thread.size)
