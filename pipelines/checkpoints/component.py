"""The weights of one component of a source, by canonical name: read in blocks, hashed once."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from pipelines.architectures.keys import MODEL, Layout, Patterns, canonical_order, chromosome_layouts, is_merged
from pipelines.errors import Phrase, SourceError
from pipelines.storage.eight_bits import unpacked
from pipelines.storage.files import cache_dir, write_whole
from pipelines.storage.finite import is_finite
from pipelines.storage.parallel import one_torch_thread_each
from pipelines.storage.tensor_file import FP8_DTYPES, TORCH_DTYPES, TensorFile
from pipelines.storage.tensor_ref import TensorRef

HASH_BLOCK_ELEMENTS = 1 << 21  # elements read and hashed at a time
_WORTH_A_THREAD = 1 << 18  # bytes of a block that are looked at sooner beside the hash than after it


class Component:
    """The weights of one component of a source, of which values are read only when they are asked for.

    Attributes:
        name: `unet`, `text_encoder`, `text_encoder_2` or `vae`; `model` of any other network.
        place: where they lie, for messages.
        tensors: canonical name to reference, in canonical order.
    """

    def __init__(self, name: str, place: str, tensors: Mapping[str, TensorRef]) -> None:
        """Take the tensors of a component.

        Args:
            name: `unet`, `text_encoder`, `text_encoder_2` or `vae`; `model` of any other network.
            place: where they lie, for messages.
            tensors: canonical name to reference.

        Raises:
            SourceError: a dtype that cannot be merged or lent (quantised integers).
        """
        self.name = name
        self.place = place
        self.tensors: Mapping[str, TensorRef] = {key: tensors[key] for key in canonical_order(name, tensors)}
        self._held: dict[str, torch.Tensor] | None = None
        self._keeping: object | None = None
        self._grouped: dict[str, dict[str, Layout]] = {}
        for key, ref in self.tensors.items():
            if ref.dtype not in TORCH_DTYPES:
                raise SourceError(
                    "{place}: tensor {key} is stored as {dtype}. Expected one of {dtypes}; use "
                    "the checkpoint in fp16, bf16 or fp32 that this one was quantised from.",
                    place=place,
                    key=key,
                    dtype=ref.dtype,
                    dtypes=", ".join(TORCH_DTYPES),
                )

    @property
    def files(self) -> tuple[TensorFile, ...]:
        """The files that its tensors lie in, each once."""
        return tuple(dict.fromkeys(ref.file for ref in self.tensors.values() if ref.file))

    @property
    def size(self) -> int:
        """The bytes that its tensors take as they are stored."""
        return sum(torch.Size(ref.shape).numel() * TORCH_DTYPES[ref.dtype].itemsize for ref in self.tensors.values())

    @functools.cached_property
    def merged_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of its tensors that are merged, by canonical name."""
        return {name: ref.shape for name, ref in self.tensors.items() if is_merged(name, ref.dtype)}

    def read(self, name: str) -> torch.Tensor:
        """Return a tensor in its stored dtype and canonical shape, in memory of its own."""
        shape = self.tensors[name].shape
        return self.read_elements(name, 0, math.prod(shape)).reshape(shape)

    def read_elements(self, name: str, start: int, stop: int, *, scratch: torch.Tensor | None = None) -> torch.Tensor:
        """Return elements `start` to `stop` of a flattened tensor in its stored dtype: [stop - start] on the CPU.

        Args:
            name: canonical name of the tensor.
            start: the first element.
            stop: the exclusive end.
            scratch: uint8 [8 * (stop - start)] or more to read into; memory of its own if left out.

        Raises:
            SourceError: the file has become shorter, or cannot be read any more.
        """
        ref = self.tensors[name]
        assert ref.file is not None, name
        if ref.packed is not None:
            return self._unpacked(ref, start, stop).to(TORCH_DTYPES[ref.dtype])
        if ref.transposed:
            tensor = ref.file.read(ref.key)
            return tensor[slice(*ref.rows or (None,))].t().reshape(-1)[start:stop]
        dtype = TORCH_DTYPES[ref.dtype]
        offset = ref.rows[0] * (math.prod(ref.shape) // ref.shape[0]) if ref.rows else 0
        size = (stop - start) * dtype.itemsize
        memory = torch.empty(size, dtype=torch.uint8) if scratch is None else scratch[:size]
        ref.file.read_into(ref.key, (offset + start) * dtype.itemsize, memory)
        return memory.view(dtype)

    def fill(self, name: str, start: int, out: torch.Tensor, *, scratch: torch.Tensor | None = None) -> None:
        """Copy elements `start` to `start + len(out)` of a flattened tensor into `out`, float32 [n] on any device.

        On a CPU `scratch`, uint8 [8 n] or more, spares it the memory to read into.
        """
        ref = self.tensors[name]
        if ref.packed is not None:
            out.copy_(self._unpacked(ref, start, start + out.numel()))
        elif out.device.type == "cpu":
            out.copy_(self.read_elements(name, start, start + out.numel(), scratch=scratch))
        else:
            out.copy_(self._on_device(name, out.device)[start : start + out.numel()])

    def _unpacked(self, ref: TensorRef, start: int, stop: int) -> torch.Tensor:
        """Return elements of a flattened tensor that is stored in eight bits, as float32 and not rounded."""
        assert ref.file is not None
        assert ref.packed is not None
        if ref.transposed:
            values = ref.file.read(ref.key)[slice(*ref.rows or (None,))].t().reshape(-1)[start:stop]
        else:
            offset = ref.rows[0] * (math.prod(ref.shape) // ref.shape[0]) if ref.rows else 0
            memory = torch.empty(stop - start, dtype=torch.uint8)
            ref.file.read_into(ref.key, offset + start, memory)
            values = memory.view(FP8_DTYPES[ref.packed])
        return unpacked(ref.file, values, ref.scale)

    def keep_on(self, device: torch.device) -> None:
        """Keep what is read from now on in the memory of `device`, for blocks that are wanted there; not on a CPU."""
        if device.type == "cpu":
            self._held = self._keeping = None
        elif self._held is None:
            self._held, self._keeping = {}, object()

    @property
    def keeping(self) -> object | None:
        """What is the same object for as long as all that is kept on a device stays where it is; `None`: nothing is."""
        return self._keeping

    def kept_on(self, name: str, device: torch.device) -> torch.Tensor | None:
        """Return a flattened tensor as it is stored, in the memory of `device`; `None` where it is not kept there."""
        return None if self._held is None or self.tensors[name].packed else self._on_device(name, device)

    def _on_device(self, name: str, device: torch.device) -> torch.Tensor:
        """Return a tensor flattened, on an accelerator; from its memory if it is kept there."""
        if self._held is not None and name in self._held:
            return self._held[name]
        flat = self.read(name).reshape(-1).to(device)
        if self._held is not None:
            self._held[name] = flat
        return flat

    @functools.cached_property
    def layouts(self) -> dict[str, Layout]:
        """The chromosomes of this component, grouped as a recipe without patterns groups them."""
        return self.grouped_layouts(None)

    def grouped_layouts(self, patterns: Patterns | None) -> dict[str, Layout]:
        """Return the chromosomes of this component under a recipe's patterns; the same ones are grouped once.

        Args:
            patterns: globs per chromosome; `None` groups as a recipe without patterns.

        Returns:
            Chromosome name to layout.

        Raises:
            RecipeError: a pattern takes no tensor.
        """
        key = json.dumps(patterns and list(patterns.items()))
        if key not in self._grouped:
            tensors = {name: (ref.shape, ref.dtype) for name, ref in self.tensors.items()}
            self._grouped[key] = chromosome_layouts(self.name, tensors, patterns)
        return self._grouped[key]

    @functools.cached_property
    def sha256(self) -> str:
        """The SHA-256, in hex, over the raw little-endian tensor bytes in canonical order.

        Without buffers such as `position_ids` and `logit_scale`, which are never merged and only in some forms of it:
        the same weights have the same hash as a folder and as a single file. Any other network has one form: nothing of
        it is left out. Reads every byte once, and on the way refuses weights that are not finite; the answer is cached
        by the stamps of the files.

        Raises:
            SourceError: a tensor holds NaN or infinity.
        """
        return self.compute_sha256()

    @property
    def is_hashed(self) -> bool:
        """Whether the hash is known already, so that asking for it reads no weights."""
        return not self.files or self._hash_entry.exists()

    def compute_sha256(self, progress: Callable[[int], None] | None = None, *, reread: bool = False) -> str:
        """Compute `sha256`, or take it from the cache.

        Args:
            progress: told how many more bytes have been read; may raise to stop.
            reread: whether every byte is read, whatever the cache knows of these files.

        Raises:
            SourceError: a tensor holds NaN or infinity, or a file changed meanwhile.
        """
        if self.files and not reread and self._hash_entry.exists():
            return self._hash_entry.read_text()
        digest, scratch = hashlib.sha256(), torch.empty(8 * HASH_BLOCK_ELEMENTS, dtype=torch.uint8)
        # one core hashes, another looks for NaN, where there is much to look at
        with one_torch_thread_each(), ThreadPoolExecutor(1) as beside:
            for name in (key for key, ref in self.tensors.items() if self.name == MODEL or is_merged(key, ref.dtype)):
                size = math.prod(self.tensors[name].shape)
                for start in range(0, size, HASH_BLOCK_ELEMENTS):
                    stop = min(start + HASH_BLOCK_ELEMENTS, size)
                    values = self.read_elements(name, start, stop, scratch=scratch).contiguous()
                    much = values.nbytes > _WORTH_A_THREAD
                    finite = beside.submit(is_finite, values).result if much else functools.partial(is_finite, values)
                    digest.update(values.view(torch.uint8).numpy().data)
                    if not finite():
                        raise SourceError(
                            "{place}: tensor {name} holds NaN or infinity. Expected finite weights; the file is "
                            "damaged or was saved from a diverged training: use another checkpoint.",
                            place=self.place,
                            name=name,
                        )
                    if progress:
                        progress(values.nbytes)
        self.check_unchanged()
        if self.files:
            write_whole(self._hash_entry, digest.hexdigest().encode())
        return digest.hexdigest()

    def note_sha256(self, digest: str) -> None:
        """Let `sha256` know a hash that was computed while these files were written, of weights found finite then.

        Raises:
            OSError: the cache cannot be written.
        """
        write_whole(self._hash_entry, digest.encode())

    def check_unchanged(self) -> None:
        """Refuse files that are not those that were opened; errors are those of `TensorFile.check_unchanged`."""
        for file in self.files:
            file.check_unchanged()

    @property
    def _hash_entry(self) -> Path:
        """The cache file that keeps the hash of these tensors of these files, as they were opened."""
        tensors = [(name, ref.key, ref.dtype, ref.rows, ref.transposed) for name, ref in self.tensors.items()]
        identity = json.dumps([self.name, [dataclasses.astuple(file.stamp) for file in self.files], tensors])
        return cache_dir() / "sha256" / hashlib.sha256(identity.encode()).hexdigest()

    def read_flat(self, layout: Layout, start: int, stop: int) -> torch.Tensor:
        """Return the elements `start` to `stop` of a flattened chromosome of this component: float32 [stop - start]."""
        flat = torch.empty(stop - start)
        self.fill_flat(layout, start, flat)
        return flat

    def fill_flat(self, layout: Layout, start: int, out: torch.Tensor, *, scratch: torch.Tensor | None = None) -> None:
        """Copy elements of a flattened chromosome, from `start` on, into `out`: float32 [n]; `scratch` as in `fill`."""
        index, done, stop = layout.tensor_at(start), start, start + out.numel()
        while done < stop:
            begin, end = layout.start(index), min(stop, int(layout.stops[index]))
            self.fill(layout.names[index], done - begin, out[done - start : end - start], scratch=scratch)
            done, index = end, index + 1


def first_difference(reference: Component, other: Component, *, but: Collection[str] = ()) -> str | None:
    """Return what is wrong with the first tensor in which two components cannot be merged; `None` where they can.

    What is never merged (`position_ids`, `logit_scale`) may be in one and not in the other.

    Args:
        reference: what the other is to be like.
        other: the component that is looked at.
        but: canonical names of tensors that may differ.
    """
    expected, shapes = reference.merged_shapes, other.merged_shapes
    if expected == shapes:
        return None
    for name, shape in expected.items():
        if name not in shapes and name not in but:
            return Phrase("tensor {name} is missing.", name=name)
        if name not in but and shapes[name] != shape:
            return Phrase(
                "tensor {name} has shape {found}, not {shape}.", name=name, found=list(shapes[name]), shape=list(shape)
            )
    extra = next((name for name in shapes if name not in expected and name not in but), None)
    return Phrase("tensor {extra} is unexpected.", extra=extra) if extra else None
