"""Weave: build the weights of a recipe, in place in a live model or to disk, with every core and little memory.

Workers take blocks of about a million elements: each reads the sources and sums, a piece after another in scratch
memory that stays in the processor's cache, and puts the result where it belongs. Which worker takes which block changes
nothing in the result. Sources are read straight from their files, which a memory map would tie the process to: see
`TensorFile`.
"""

from __future__ import annotations

import contextlib
import hashlib
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
from pipelines.storage.files import read_sha256
from pipelines.storage.parallel import WORKERS, in_order, in_parallel
from pipelines.storage.tensor_file import DTYPE_CODES

from .device_sums import DeviceWeaver
from .plan import Plan, TensorPlan
from .scratch_buffers import SUMMED_ELEMENTS, BlockPool, ThreadLocalBuffers
from .written_file import HASH_PLACEHOLDER, WrittenFile, brought_to_disk, put_hash

BLOCK_ELEMENTS = 1 << 20  # elements that a worker takes at a time
WIDEST = max(dtype.itemsize for dtype in DTYPE_CODES)  # bytes of an element
DEVICE_BLOCK_ELEMENTS = 1 << 24  # on an accelerator, where a launch costs as much as a million additions


@dataclass(frozen=True)
class FileEntry:
    """One tensor of a file to write: planned tensors that follow one another in it, or a value of no source.

    Attributes:
        key: its key in the file.
        shape: as the file states it.
        dtype: as the file states it.
        tensor_plans: what it holds, one behind the other; empty where there is a `value`.
        transposed: whether the file holds the transpose of its only planned tensor.
        value: what it holds instead, where that comes from no source.
    """

    key: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    tensor_plans: tuple[TensorPlan, ...] = ()
    transposed: bool = False
    value: torch.Tensor | None = None

    @property
    def size(self) -> int:
        """The number of its bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class LiveWeights:
    """The parameters of a live module, which one recipe after another is woven into; those that stay are not touched.

    The parameters stay where they are, so a compiled model, CUDA graphs and attention backends stay valid.
    """

    def __init__(self, component: str, module: torch.nn.Module | Mapping[str, torch.Tensor]) -> None:
        """Take the parameters of a module.

        Args:
            component: what the module is in a plan, such as `unet`.
            module: the module, or its tensors by the keys that its file has.
        """
        self.component = component
        tensors = module if isinstance(module, Mapping) else module.state_dict(keep_vars=True)
        self._parameters = {canonical_name(component, key): tensor for key, tensor in tensors.items()}
        self._woven: dict[str, tuple[object, ...]] = {}  # by tensor: what its values were built from
        self._on_device: DeviceWeaver | None = None

    @torch.no_grad()
    def weave(self, plan: Plan) -> int:
        """Bring the module to a plan.

        Args:
            plan: what its weights become.

        Returns:
            How many tensors were touched.

        Raises:
            RecipeError: the module and its source differ in a tensor, or a sum overflows.
        """
        identity = (
            tuple(named.sha256.get(self.component) for named in plan.recipe.sources)  # which the plan has checked
            if self.component in plan.recipe.merged_components
            else (),
            plan.lender(self.component).components[self.component].sha256,
        )
        planned = {
            tensor.name: (tensor, (tensor.spans, tensor.dtype, identity))
            for tensor in plan.tensor_plans(self.component)
        }
        if not self._woven:
            self._refuse_misfits(planned)
        changed = {
            name: (tensor, key)
            for name, (tensor, key) in planned.items()
            if name in self._parameters and self._woven.get(name) != key
        }
        if changed:
            self._weave_tensors(plan, [tensor for tensor, _ in changed.values()])
            self._woven |= {name: key for name, (_, key) in changed.items()}
        return len(changed)

    def _weave_tensors(self, plan: Plan, tensors: Sequence[TensorPlan]) -> None:
        device = next(iter(self._parameters.values())).device
        block, workers = (BLOCK_ELEMENTS, WORKERS) if device.type == "cpu" else (DEVICE_BLOCK_ELEMENTS, 1)
        local = ThreadLocalBuffers(SUMMED_ELEMENTS if device.type == "cpu" else block, device)

        def put(job: tuple[TensorPlan, int, int]) -> int:
            tensor, start, stop = job
            target = self._parameters[tensor.name].data
            if target.is_contiguous():
                plan.build_into(target.view(-1)[start:stop], tensor, start, local.buffers)
            elif start == 0:  # channels last, say: its memory has another order
                target.copy_(plan.build_tensor(tensor))
            return stop - start

        for tensor in tensors:
            self._woven.pop(tensor.name, None)  # an overflow halfway leaves no tensor that claims to be done
        if device.type == "cuda":
            if self._on_device is None or self._on_device.device != device:
                self._on_device = DeviceWeaver(self._parameters, device)
            tensors = self._on_device.weave(plan, tensors)
        for _ in in_parallel(put, (job for tensor in tensors for job in _blocks(tensor, block)), workers=workers):
            pass

    def _refuse_misfits(self, planned: Mapping[str, tuple[TensorPlan, object]]) -> None:
        """Refuse a plan that lacks a tensor of the module, has another shape for it, or has one that it has not."""
        for name, parameter in self._parameters.items():
            if name not in planned:
                raise RecipeError(
                    "The source's {component} lacks {name}, which its config asks for; use a whole copy of it.",
                    component=self.component,
                    name=name,
                )
            shape = planned[name][0].shape
            if tuple(parameter.shape) != shape:
                raise RecipeError(
                    "{name} of the source's {component} has shape {shape}, its config asks for "
                    "{expected}; the config belongs to another checkpoint.",
                    name=name,
                    component=self.component,
                    shape=list(shape),
                    expected=list(parameter.shape),
                )
        for name, (tensor, _) in planned.items():
            if name not in self._parameters and is_merged(name, DTYPE_CODES[tensor.dtype]):
                raise RecipeError(
                    "The live {component} has no tensor {name}; expected the architecture of its source.",
                    component=self.component,
                    name=name,
                )


def component_entries(plan: Plan, component: str) -> list[FileEntry]:
    """Return what a file of its own holds for a component: its tensors under their canonical names.

    Raises:
        RecipeError: the host has no such component to lend.
    """
    return [FileEntry(tensor.name, tensor.shape, tensor.dtype, (tensor,)) for tensor in plan.tensor_plans(component)]


def weave_file(
    plan: Plan | None,
    entries: Iterable[FileEntry],
    path: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    hash_key: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> WrittenFile:
    """Write woven weights as one safetensors file, block by block; the same bytes every time. It is then on the disk.

    safetensors' own writer wants all tensors in memory at once, which a full-size checkpoint does not allow.

    Args:
        plan: what to build; `None` where every entry brings its value.
        entries: what the file holds; wider dtypes come first in it, so that every tensor is aligned.
        path: the file to write; the caller puts it beside its target and renames.
        metadata: for the file's header.
        hash_key: what the header states the SHA-256 of the tensor bytes under, after `0x`; it states none if left out.
        progress: told the tensor bytes written so far, and with a `hash_key` those that were read again after them;
            raise in it to give up.

    Returns:
        The hashes of the file.

    Raises:
        RecipeError: a sum overflows.
        SourceError: a source's file has become shorter since it was opened.
        OSError: the disk is full or cannot be written.
    """
    ordered = sorted(entries, key=lambda entry: -entry.dtype.itemsize)
    stated = {hash_key: HASH_PLACEHOLDER} if hash_key else {}
    header: dict[str, object] = {"__metadata__": {"format": "pt", **(metadata or {}), **stated}}
    offset = 0
    for entry in ordered:
        header[entry.key] = {
            "dtype": DTYPE_CODES[entry.dtype],
            "shape": entry.shape,
            "data_offsets": [offset, offset + entry.size],
        }
        offset += entry.size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the data section begins on a multiple of 8
    local, pool = ThreadLocalBuffers(SUMMED_ELEMENTS), BlockPool(WIDEST * BLOCK_ELEMENTS)
    one_writer = threading.Lock()  # the system lets one at a time into a file, and those who wait there spin
    head = struct.pack("<Q", len(text)) + text
    digest, whole = hashlib.sha256(), None if hash_key else hashlib.sha256(head)
    with open(path, "wb") as file, brought_to_disk(file.fileno(), len(head) + offset) as appender:
        if appender:
            appender.append(memoryview(head))
        else:
            file.write(head)
            file.flush()

        def put(job: tuple[int, TensorPlan | torch.Tensor, int, int]) -> tuple[memoryview, torch.Tensor | None]:
            position, tensor, start, stop = job
            memory = None
            if isinstance(tensor, torch.Tensor):
                values = tensor.contiguous()
            else:
                assert plan is not None
                memory = pool.take()
                values = memory[: (stop - start) * tensor.dtype.itemsize].view(tensor.dtype)
                plan.build_into(values, tensor, start, local.buffers)
            block = rest = memoryview(values.reshape(-1).view(torch.uint8).numpy().data)
            with one_writer:
                while rest and not appender:  # a write may take less than it is given
                    written = os.pwrite(file.fileno(), rest, position)
                    position, rest = position + written, rest[written:]
            return block, memory

        done = 0
        jobs = _file_jobs(plan, ordered, len(head))
        with contextlib.closing(in_order(put, jobs)) as blocks:
            for block, memory in blocks:
                if appender:
                    appender.append(block)
                digest.update(block)
                if whole:
                    whole.update(block)
                done += len(block)
                if memory is not None:
                    pool.give_back(memory)
                if progress:
                    progress(done)
        if appender:
            appender.finish()
        if hash_key:
            put_hash(path, hash_key, digest.hexdigest())
            on_read = (lambda read: progress(offset + max(0, read - len(head)))) if progress else None
            return WrittenFile(read_sha256(path, on_read, past_cache=bool(appender)), digest.hexdigest())
    assert whole is not None
    return WrittenFile(whole.hexdigest(), digest.hexdigest())


def _file_jobs(
    plan: Plan | None, entries: Sequence[FileEntry], position: int
) -> Iterator[tuple[int, TensorPlan | torch.Tensor, int, int]]:
    """Yield (position in the file, planned tensor or ready value, first element, end) for every block."""
    for entry in entries:
        if entry.transposed:
            assert plan is not None
            (tensor,) = entry.tensor_plans
            yield position, plan.build_tensor(tensor).t(), 0, tensor.size
        elif entry.value is not None:
            yield position, entry.value.to(entry.dtype), 0, entry.value.numel()
        else:
            assert plan is not None
            offset = position
            for tensor in entry.tensor_plans:
                for _, start, stop in _blocks(tensor, BLOCK_ELEMENTS):
                    yield offset + start * entry.dtype.itemsize, tensor, start, stop
                offset += tensor.size * entry.dtype.itemsize
        position += entry.size


def _blocks(tensor: TensorPlan, block: int) -> Iterator[tuple[TensorPlan, int, int]]:
    """Yield (tensor, first element, end) for every block of one tensor."""
    for start in range(0, tensor.size, block):
        yield tensor, start, min(start + block, tensor.size)
