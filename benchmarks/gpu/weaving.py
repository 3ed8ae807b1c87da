"""Weaving in place against the card's own copy: bytes that a merge must touch, over a copy of as many."""

from __future__ import annotations

import contextlib
import unittest.mock
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch

from pipelines.checkpoints.sources import Source
from pipelines.errors import RecipeError
from pipelines.generation.build import empty_module
from pipelines.recipes.recipe import Recipe
from pipelines.weaving import device_sums
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights

from .bench import GB, Bench, recipe

COUNTS = (2, 4, 8, 12)  # sources
ROUNDS = 6  # the first of which does not count
COMPARED = 40  # tensors that are built on the CPU as well
RESERVE = 6 << 30  # bytes of the device that stay free: the live UNet and scratch memory
COLUMNS = (
    "sources",
    "live UNet",
    "way",
    "ms a re-weave",
    "of it in Python's plan",
    "GB touched",
    "GB/s",
    "of the copy",
)


def run(bench: Bench) -> None:
    """Measure; first how fast the device copies, then two to twelve sources that stay on it."""
    bench.report.begin("Weaving in place", COLUMNS)
    copy = copy_speed(bench)
    bench.report.note(f"The device copies {copy / GB:,.0f} GB/s, bytes read and bytes written added up.")
    if bench.cuda:
        usable = device_sums.is_usable(bench.device)
        bench.report.note(f"All tensors in one launch: {'yes' if usable else 'NO, see the log'}.")
    dtypes = (torch.float16, torch.bfloat16) if bench.cuda else (torch.float32,)
    sources: dict[str, Source] = {}
    try:
        for count in COUNTS if bench.full else COUNTS[:2]:
            if bench.left < 8:
                bench.report.note(f"No time was left for {count} sources.")
                break
            if not _fits(bench, count):
                bench.report.note(f"{count} sources do not fit the device.")
                break
            sources = _kept(bench, sources, count)
            for dtype in dtypes:
                _measure(bench, sources, dtype, copy)
        if bench.cuda and bench.left > 12:
            _measure_unkept(bench, copy)
    finally:
        for source in sources.values():
            source.components["unet"].keep_on(torch.device("cpu"))
        if bench.cuda:
            torch.cuda.empty_cache()
    bench.report.note(
        "Sources beyond the fourth repeat the files of the first four, in memory of their own. "
        f"Figures are medians of {ROUNDS - 1}."
    )


def copy_speed(bench: Bench) -> float:
    """Return bytes per second that a plain copy on the device reads and writes together."""
    size = 4 << 30 if bench.cuda else 1 << 26
    source, target = (torch.empty(size, dtype=torch.uint8, device=bench.device) for _ in range(2))
    return 2 * size / bench.median([lambda: target.copy_(source)] * 8)


def _fits(bench: Bench, count: int) -> bool:
    if not bench.cuda:
        return True
    size = bench.sources(1)["source-1"].components["unet"].size
    return (count + 1) * size + RESERVE < torch.cuda.mem_get_info(bench.device)[1]


def _kept(bench: Bench, sources: dict[str, Source], count: int) -> dict[str, Source]:
    """Return `count` sources whose UNets are on the device; those that are there already stay."""
    sources = bench.sources(count) | sources
    if not bench.cuda:
        return sources

    def keep(source: Source) -> None:
        unet = source.components["unet"]
        unet.keep_on(bench.device)
        for name in unet.tensors:
            unet.kept_on(name, bench.device)

    def keep_all() -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(keep, sources.values()))

    took = bench.seconds(keep_all)
    bench.report.say(f"{count} sources are on the device after {took:.1f} s")
    return dict(sorted(sources.items(), key=lambda item: int(item[0].split("-")[1])))


@contextlib.contextmanager
def tensor_by_tensor() -> Iterator[None]:
    """Weave as on a device without the kernel."""
    with unittest.mock.patch.object(device_sums, "is_usable", return_value=False):
        yield


def _measure(bench: Bench, sources: dict[str, Source], dtype: torch.dtype, copy: float) -> None:
    unet = empty_module("unet", sources["source-1"], dtype).to(bench.device)
    live = LiveWeights("unet", unet)
    merges = [recipe(sources, 0.5 + number / 100) for number in range(3 * ROUNDS)]
    live.weave(Plan(merges[-1], sources))
    touched = _touched_bytes(Plan(merges[0], sources), len(sources), dtype)
    ways: dict[str, Callable[[], contextlib.AbstractContextManager[None]]]
    ways = {"one launch": contextlib.nullcontext, "tensor by tensor": tensor_by_tensor}
    if not bench.cuda:
        ways = {"processor": contextlib.nullcontext}
    for number, (way, context) in enumerate(ways.items()):
        if number and (len(sources) > COUNTS[0] or bench.left < 10):
            continue  # it takes half a minute, and what it shows, fewer sources have shown
        rounds = merges[number * ROUNDS : (number + 1) * ROUNDS]
        with context():
            planning = bench.median([partial(_planned, one, sources) for one in rounds])
            took = bench.median([partial(_weave, live, one, sources) for one in rounds])
        speed = touched / took
        name = str(dtype).removeprefix("torch.")
        bench.report.row(
            len(sources), name, way, took * 1e3, planning * 1e3, touched / GB, speed / GB, f"{speed / copy:.0%}"
        )
    if bench.cuda and bench.left > 6:
        _kernel_alone(bench, sources, unet, merges[0], touched, copy)
    if len(sources) == COUNTS[0]:
        _compare(bench, sources, unet, live, merges[1])


def _kernel_alone(
    bench: Bench, sources: dict[str, Source], unet: torch.nn.Module, merge: Recipe, touched: int, copy: float
) -> None:
    """What of a re-weave the device computes: events of CUDA around the launches of a profile."""
    plan = Plan(merge, sources)
    tensors = [tensor for tensor in plan.tensor_plans("unet") if tensor.spans]
    weaver = device_sums.DeviceWeaver(unet.state_dict(), bench.device)
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            weaver.weave(plan, tensors)
            bench.synchronize()
        spent = sum(event.device_time_total for event in profile.key_averages() if "sum_chunks" in event.key) / 1e6
    except RuntimeError as error:
        bench.report.note(f"The kernel alone could not be timed: {error}")
        return
    if spent:
        speed = touched / spent
        bench.report.row(
            len(sources), str(next(unet.parameters()).dtype).removeprefix("torch."), "the kernel alone", spent * 1e3,
            "", touched / GB, speed / GB, f"{speed / copy:.0%}",
        )  # fmt: skip


def _measure_unkept(bench: Bench, copy: float) -> None:
    """Two sources that are read from their files, in the page cache, at every re-weave."""
    sources = bench.sources(2)
    unet = empty_module("unet", sources["source-1"], torch.bfloat16).to(bench.device)
    live = LiveWeights("unet", unet)
    live.weave(Plan(recipe(sources, 0.9), sources))
    merge = recipe(sources, 0.4)
    touched = _touched_bytes(Plan(merge, sources), 2, torch.bfloat16)
    took = bench.seconds(lambda: live.weave(Plan(merge, sources)))
    speed = touched / took
    bench.report.row(2, "bfloat16", "from the files", took * 1e3, "", touched / GB, speed / GB, f"{speed / copy:.2%}")


def _planned(merge: Recipe, sources: dict[str, Source]) -> None:
    Plan(merge, sources).tensor_plans("unet")


def _weave(live: LiveWeights, merge: Recipe, sources: dict[str, Source]) -> None:
    if not live.weave(Plan(merge, sources)):
        raise RecipeError("Nothing was woven. Expected weights that differ from the last.")


def _touched_bytes(plan: Plan, count: int, dtype: torch.dtype) -> int:
    """Bytes that a re-weave has to read of the sources and to write."""
    total = 0
    for tensor in plan.tensor_plans("unet"):
        if tensor.spans:
            total += tensor.size * (count * tensor.dtype.itemsize + dtype.itemsize)
    return total


def _compare(bench: Bench, sources: dict[str, Source], unet: torch.nn.Module, live: LiveWeights, merge: Recipe) -> None:
    """Compare what was woven on the device with what the processor builds, byte by byte."""
    plan = Plan(merge, sources)
    live.weave(plan)
    parameters = unet.state_dict()
    tensors = [tensor for tensor in plan.tensor_plans("unet") if tensor.spans]
    differing = numbers = 0
    for tensor in tensors[:: max(1, len(tensors) // COMPARED)]:
        woven = parameters[tensor.name].cpu()
        built = plan.build_tensor(tensor).to(woven.dtype)
        integer = torch.int16 if woven.dtype.itemsize == 2 else torch.int32
        differing += int((built.view(integer) != woven.view(integer)).sum())
        numbers += built.numel()
    dtype = str(next(unet.parameters()).dtype).removeprefix("torch.")
    bench.report.note(
        f"{dtype}: {differing:,} of {numbers:,} numbers, in {COMPARED} tensors, differ from what the processor builds."
    )
