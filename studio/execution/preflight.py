"""Before a run starts: what it will need of GPU memory, main memory and disk, about how long it takes, what cannot fit.

Nothing is drawn and no weights are read but a sample of a file, to see how fast it comes. Bytes of weights are exact,
working memory is an estimate (see `pipelines.cost`). Time comes from an earlier run over the same sources; without
one, operations are counted and divided by how fast this machine multiplies matrices now, which no network reaches.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

from eval.scorers.model_files import weights_size
from pipelines.checkpoints.sources import Source
from pipelines.errors import M2N2Error, joined
from pipelines.generation import cost
from pipelines.generation.devices import DEVICE_RESERVE, DevicePlan, Machine, plan_device, this_machine
from pipelines.storage.disk_space import free_space
from pipelines.storage.files import newest_first
from studio.errors import ConfigError
from studio.library.adapter_notes import merge_notes
from studio.library.merge_notes import mix_notes
from studio.runs.config import RunConfig
from studio.runs.inputs import RunPrompts
from studio.runs.results import SHOWN
from studio.runs.store import RunStore, open_run

from .fit import fit_refusals, fit_warnings
from .workers import drawing_count, process_count

KEPT = 0.85  # share of offspring that enter the archive, for estimates: only they are drawn in English too
PNG = 0.7  # bytes of a PNG per byte of its pixels
_SAMPLE = 64 << 20  # bytes read to see how fast files come

Basis = Literal["earlier run", "count"]


@dataclass(frozen=True)
class Preflight:
    """What a run will need.

    Attributes:
        plan: how the pipeline fits the device.
        needs: bytes of "accelerator" (not on a CPU), "memory" and "disk".
        available: bytes free of the same.
        holds: bytes among the needs that are "weights" of the pipeline, "scorers", and "sources" on an accelerator.
        cache: bytes of files that weaving reads for every individual, wanted in the system's file cache.
        reading: bytes read once to hash and compare the sources, if they are new here.
        reading_seconds: how long that takes at the speed at which a sample came now.
        pictures: to be drawn, as far as can be told.
        seconds: of the whole run.
        basis: where `seconds` comes from. A "count" is rough, and what the run takes at the least.
        refusals: what cannot fit, in sentences; empty where the run can start.
        warnings: what will be slower or coarser than it could be, in sentences.
    """

    plan: DevicePlan
    needs: Mapping[str, int]
    available: Mapping[str, int]
    holds: Mapping[str, int]
    cache: int
    reading: int
    reading_seconds: float
    pictures: int
    seconds: float
    basis: Basis
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]

    def check(self) -> Preflight:
        """Itself, if the run can start.

        Raises:
            ConfigError: it cannot; says why.
        """
        if self.refusals:
            raise ConfigError("This run does not fit this machine. {refusals}", refusals=joined(" ", self.refusals))
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "plan": self.plan.to_json()}


def preflight(
    config: RunConfig,
    sources: Mapping[str, Source],
    *,
    folder: Path,
    machine: Machine | None = None,
    available: Mapping[str, int] | None = None,
    rate: float | None = None,
) -> Preflight:
    """What a run will need, and whether it fits.

    Args:
        config: the run.
        sources: its sources, opened.
        folder: where the run will lie.
        machine: where it will compute; this machine if left out.
        available: bytes that are free now, by the names in `Preflight`; looked up if left out.
        rate: seconds per picture and denoising step, as `measured_rate` gives them.

    Raises:
        M2N2Error: a prompt set cannot be opened, or the host lacks what it is to lend.
    """
    machine = machine or this_machine()
    workers = process_count(config, gpus=machine.device.type == "cuda")
    settings = config.pictures
    bred, merged = config.bred(sources), config.merged_components
    sizes = cost.measure_sizes(sources, config.host_names, merged)
    judges = {name: weights_size(name) for name in (config.scorer, config.reporter)}
    scorers = max(size or 0 for size in judges.values())  # the one that reports takes the other's place
    plan = plan_device(machine, sizes, settings, scorer=scorers)
    prompts = RunPrompts(config)
    pictures, stored = _pictures(config, prompts, list(bred))
    side = settings.size or sizes.side
    captions = 2 * config.noises * (len(prompts.niches) + len(prompts.held_out))  # a batch has one a picture
    memory = workers * plan.host + sizes.embedding_bytes(captions, plan.dtype.itemsize)
    needs = {"memory": memory, "disk": int(stored * 3 * side**2 * PNG)}
    if machine.memory is not None:
        needs["accelerator"] = plan.needs if machine.device.type == "cuda" else workers * plan.needs
    available = available or _available(machine, folder)
    reading = sum(source.size for source in sources.values()) + sizes.merged
    speed = _read_speed(max(sources.values(), key=lambda source: source.size))
    cache = 0 if plan.resident else sizes.merged
    basis: Basis = "count" if rate is None else "earlier run"
    if rate is None:
        operations = pictures * sizes.operations(settings)
        seconds = operations / multiplication_speed(machine.device, plan.dtype) / drawing_count(config)
        seconds += (config.evaluations + len(bred)) * cache / speed
    else:
        seconds = rate * settings.steps * pictures
    return Preflight(
        plan=plan,
        needs=needs,
        available=available,
        holds={
            "weights": sum(sizes.weight_bytes(plan.dtype.itemsize).values()),
            "scorers": scorers,
            "sources": sizes.merged if plan.resident else 0,
        },
        cache=cache,
        reading=reading,
        reading_seconds=reading / speed,
        pictures=pictures,
        seconds=seconds,
        basis=basis,
        refusals=tuple(fit_refusals(needs, available, machine, folder)),
        warnings=(
            *fit_warnings(config, plan, cache, available["memory"] - needs["memory"], judges),
            *(note.phrase() for note in merge_notes(bred.values(), merged, _lender(config))),
            *(note.phrase() for note in mix_notes(bred.values(), _lender(config))),
        ),
    )


def measured_rate(runs: Path, config: RunConfig) -> float | None:
    """Seconds per picture and denoising step in the newest run over the same sources; `None` where there is none.

    Args:
        runs: the folder that holds the runs.
        config: the run to come; earlier ones count if they drew pictures of the same kind.
    """
    kind = _kind(config)
    for file in newest_first(runs.glob("*/run.yaml")):
        # A run of another version, or a damaged one, says nothing here.
        with contextlib.suppress(M2N2Error), contextlib.closing(open_run(file.parent)) as store:
            if _kind(store.config) == kind and (found := _rate(store)):
                return found
    return None


def _kind(config: RunConfig) -> tuple[object, ...]:
    drawn = config.pictures
    return config.sources, drawn.size, drawn.guided, drawn.compile, drawn.lora, config.workers


def _rate(store: RunStore) -> float | None:
    offspring = [one for one in store.individuals() if not one.is_source and "ja" in one.scores]
    drawn = sum(values.size for one in offspring for kind, values in one.scores.items() if kind in ("ja", "en"))
    return sum(one.seconds for one in offspring) / (drawn * store.config.pictures.steps) if drawn else None


def _pictures(config: RunConfig, prompts: RunPrompts, names: list[str]) -> tuple[int, int]:
    """How many pictures will be drawn, and how many of them are kept on the disk."""
    niches = len(prompts.niches) * config.noises
    held_out = len(prompts.held_out) * config.noises
    rows = len(names) + 2 + sum(set(config.host_names.values()) != {name} for name in names)
    entered, languages = config.evaluations * KEPT + len(names), len(config.compete)
    rotations = (config.evaluations - 1) // config.noise_rotation if config.noise_rotation else 0
    again = rotations * min(config.archive, config.evaluations + len(names))
    fitness, twins = config.evaluations * languages + len(names), entered if languages == 1 else len(names)
    drawn = (fitness + twins + 2 * again) * niches + 2 * rows * held_out
    return round(drawn), round(2 * entered * niches + 2 * rows * min(SHOWN, len(prompts.held_out)))


def _lender(config: RunConfig) -> Callable[[str], str]:
    host = config.host_names
    return lambda part: host.get(part, host["default"])


def _available(machine: Machine, folder: Path) -> dict[str, int]:
    """Bytes that are free now."""
    free = {
        "memory": min(psutil.virtual_memory().available, machine.ram),
        "disk": free_space(folder),
    }
    if machine.memory is not None:
        if machine.device.type == "mps":
            unused = machine.memory - torch.mps.driver_allocated_memory()
        else:
            unused = torch.accelerator.get_memory_info(machine.device)[0]
        free["accelerator"] = min(machine.memory, unused + DEVICE_RESERVE)  # the reserve is among the needs
    return free


@functools.cache
def multiplication_speed(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a product of matrices; measured once, in a fraction of a second."""
    length = 1024 if device.type == "cpu" else 8192
    one = torch.ones(length, length, device=device, dtype=dtype)
    fastest = float("inf")
    for _ in range(4):  # the first one warms up
        started = time.perf_counter()
        torch.mm(one, one)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        fastest = min(fastest, time.perf_counter() - started)
    return 2 * length**3 / fastest


def _read_speed(source: Source) -> float:
    """Bytes per second at which a source's largest file comes; from the file cache if it is there."""
    files = {file.path for part in source.components.values() for file in part.files}
    largest = max(files, key=lambda path: path.stat().st_size)
    size = min(_SAMPLE, largest.stat().st_size)
    with open(largest, "rb", buffering=0) as file:
        file.seek((largest.stat().st_size - size) // 2 // 4096 * 4096)
        started = time.perf_counter()
        read = 0
        while read < size and (block := os.read(file.fileno(), min(size - read, 1 << 22))):
            read += len(block)
        return read / max(time.perf_counter() - started, 1e-9)
