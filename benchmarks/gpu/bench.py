"""What every part is given: the device, the clock, the report, and sources that were made in seconds."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import statistics
import struct
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

import assets
from benchmarks.full_size.checkpoints import SCALES, SIZE, shapes
from pipelines.architectures import sdxl_single_file
from pipelines.checkpoints.sources import Source, open_source
from pipelines.generation.devices import Machine, this_machine
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import Recipe, blend

from .report import Report

FILES = 4
POOL = 1 << 26  # random values on the device, used again and again from other places
GB = 1e9


@dataclass
class Bench:
    """A run of the benchmark.

    Attributes:
        machine: where it computes.
        report: where results go.
        folder: for checkpoints.
        full: whether the sources are full-size SDXL with random weights; else the embedded family.
        deadline: when the part that runs now should end, on `time.perf_counter`'s clock.
    """

    machine: Machine
    report: Report
    folder: Path
    full: bool
    deadline: float = math.inf

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.machine.device

    @property
    def cuda(self) -> bool:
        """Whether that is an NVIDIA GPU (or AMD's under the same name)."""
        return self.device.type == "cuda"

    def give(self, seconds: float) -> None:
        """Let the part that runs next take so many seconds."""
        self.deadline = time.perf_counter() + seconds

    @property
    def left(self) -> float:
        """The seconds that the part has left."""
        return self.deadline - time.perf_counter()

    def settings(self, *, steps: int, batch: int, compiled: bool = False) -> GenerationSettings:
        """Return settings of pictures at the model's own size: 1024 pixels at full size."""
        return GenerationSettings(steps=steps, batch=batch, guidance=5.0, compile=compiled)

    def paths(self) -> list[Path]:
        """Return the sources' paths."""
        if not self.full:
            return assets.sources()
        return [self.folder / f"random-{number}.safetensors" for number in range(1, FILES + 1)]

    def sources(self, count: int) -> dict[str, Source]:
        """Open `count` sources by name; beyond the number of files, the same files again, as sources of their own."""
        paths = self.paths()
        opened = [open_source(paths[k % len(paths)], name=f"source-{k + 1}") for k in range(count)]
        return {source.name: source for source in opened}

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long a piece of work takes, on the device too."""
        self.synchronize()
        began = time.perf_counter()
        work()
        self.synchronize()
        return time.perf_counter() - began

    def median(self, works: Sequence[Callable[[], object]]) -> float:
        """Return the median of the seconds of several, the first of which warms up and does not count."""
        return statistics.median([self.seconds(work) for work in works][1:])

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def forget_peak(self) -> None:
        """Begin to look for the peak of the device's memory."""
        self.synchronize()
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak(self) -> int:
        """Return the most bytes that tensors took of the device since `forget_peak`; 0 on a CPU."""
        self.synchronize()
        return torch.cuda.max_memory_allocated(self.device) if self.cuda else 0


def machine() -> Machine:
    """Return this machine; torch before 2.10 cannot tell the memory of any accelerator, but that of NVIDIA's."""
    if not hasattr(torch.accelerator, "get_memory_info") and torch.cuda.is_available():
        ram = psutil.virtual_memory().total
        return Machine(torch.device("cuda"), torch.cuda.mem_get_info()[1], ram, torch.cuda.is_bf16_supported())
    return this_machine()


def recipe(sources: dict[str, Source], share: float) -> Recipe:
    """Return a merge: `share` of the first source, the rest of the others alike; a little less in attention."""
    rows = {}
    for name, own in (("attention", 0.9 * share), ("backbone", share)):
        rows[name] = [own, *[(1 - own) / (len(sources) - 1)] * (len(sources) - 1)]
    return blend(list(sources.values()), rows, host={"default": next(iter(sources))})


def scratch_folder() -> Path:
    """Return where checkpoints go: into main memory where there is room for them, which no disk slows down."""
    shared = Path("/dev/shm")
    needed = FILES * SIZE
    if shared.is_dir() and shutil.disk_usage(shared).free > 1.2 * needed:
        ram = psutil.virtual_memory().available
        if ram > 2.5 * needed:
            return shared
    return Path(os.environ.get("TMPDIR", "/tmp"))


def make_sources(bench: Bench) -> None:
    """Write the full-size checkpoints, each on a thread, and note hashes of their components that nobody computed."""
    began = time.perf_counter()
    tensors = shapes()
    with ThreadPoolExecutor(FILES) as threads:
        list(threads.map(lambda job: _write(job[1], job[0], tensors, bench.device), enumerate(bench.paths())))
    for number, path in enumerate(bench.paths()):
        for part, component in open_source(path).components.items():
            component.note_sha256(hashlib.sha256(f"{number} {part}".encode()).hexdigest())
    took = time.perf_counter() - began
    size = sum(path.stat().st_size for path in bench.paths())
    bench.report.note(f"{FILES} sources, {size / GB:.1f} GB in {bench.folder}, were written in {took:.1f} s.")


def _write(path: Path, seed: int, parts: dict[str, dict[str, tuple[int, ...]]], device: torch.device) -> None:
    """Write one single-file checkpoint in float16 whose layers neither blow up nor fade: pictures are finite noise."""
    placed = [tensor for part, named in parts.items() for tensor in sdxl_single_file.to_single_file(part, named)]
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in placed:
        size = 2 * math.prod(tensor.shape)
        header[tensor.key] = {"dtype": "F16", "shape": tensor.shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator(device).manual_seed(seed)
    pool = torch.randn(POOL, generator=generator, device=device, dtype=torch.float32)
    place = 0
    with open(path, "wb", buffering=0) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in placed:
            size = math.prod(tensor.shape)
            place = (place + 104729) % (POOL - size)
            spread = 0.02 if len(tensor.shape) < 2 else math.prod(tensor.shape[1:]) ** -0.5
            values = pool[place : place + size] * spread
            if SCALES.search(tensor.key):
                values = torch.ones_like(values)
            rest = memoryview(values.half().cpu().view(torch.uint8).numpy().data)
            while rest:  # a write may take less than it is given
                rest = rest[file.write(rest) :]
