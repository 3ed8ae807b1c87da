"""A live full-size UNet woven again and again, and the inner products of four, beside the floor of touching the bytes.

    python -m benchmarks.live [--folder FOLDER]

Uses the checkpoints that `weave` made, or makes them. The live UNet is float32, 10.3 GB, as on a CPU; its two sources
stay in the page cache beside it.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
import unittest.mock
from collections.abc import Callable
from pathlib import Path

import accelerate
import torch
from diffusers import UNet2DConditionModel
from rich.console import Console
from rich.table import Table

from pipelines.architectures import sdxl
from pipelines.architectures.keys import is_attention
from pipelines.checkpoints.sources import Source, open_source
from pipelines.recipes.gram import compute_gram
from pipelines.recipes.recipe import Recipe, blend
from pipelines.storage.files import cache_dir
from pipelines.storage.parallel import in_parallel
from pipelines.storage.tensor_file import TORCH_DTYPES
from pipelines.weaving.plan import Plan, TensorPlan
from pipelines.weaving.weave import BLOCK_ELEMENTS, LiveWeights

from .checkpoints import make
from .rivals import anonymous, forget

PIECE = 1 << 20  # elements the floor copies at a time: its fastest here
ROUNDS = 5
AGAIN = 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_dir() / "benchmarks", help="for 28 GB of checkpoints")
    asked = parser.parse_args()
    sources = [open_source(make(asked.folder / f"random-{number}.safetensors", number)) for number in range(1, 5)]
    table = Table("what", "seconds", "floor", "over floor")
    measure_gram(sources, table)
    measure_live(sources[:2], table)
    Console(width=110).print(table)


def measure_live(sources: list[Source], table: Table) -> None:
    """Re-weaving in place: all tensors, one chromosome, and a hundred times in a row."""
    with accelerate.init_empty_weights():
        unet = UNet2DConditionModel.from_config(sdxl.UNET)
    unet = unet.to_empty(device="cpu").requires_grad_(False)
    live, parameters = LiveWeights("unet", unet), unet.state_dict()
    named = {source.name: source for source in sources}

    def recipe(attention: float, backbone: float) -> Recipe:
        rows = {"attention": [attention, 1 - attention], "backbone": [backbone, 1 - backbone]}
        return blend(sources, rows, host={"default": sources[0].name})

    def tensors(plan: Plan, attention_only: bool) -> list[TensorPlan]:
        return [tensor for tensor in plan.tensor_plans("unet") if is_attention(tensor.name) or not attention_only]

    live.weave(Plan(recipe(0.9, 0.9), named))
    for what, attention_only in (("re-weave, all tensors change", False), ("re-weave, attention changes", True)):
        ours, floors, touched = [], [], 0
        for number in range(1, ROUNDS + 1):
            share = number / 10
            plan = Plan(recipe(1 - share, 0.5) if attention_only else recipe(share, share), named)
            floors.append(seconds(lambda: _touch(plan, tensors(plan, attention_only), parameters)))  # noqa: B023
            ours.append(seconds(lambda: live.weave(plan)))  # noqa: B023
        touched = len(tensors(plan, attention_only))
        _row(table, f"{what} ({touched} tensors)", ours, floors)

    before = anonymous()
    for number in range(AGAIN):
        live.weave(Plan(recipe(number / AGAIN, 0.5), named))
    grown = (anonymous() - before) / 1e6
    table.add_row(f"anonymous memory after {AGAIN} re-weaves of attention more: {grown:+.1f} MB", "", "", "")


def measure_gram(sources: list[Source], table: Table) -> None:
    """The Gram pass over four UNets, against reading them; then the second time."""
    parts = [source.components["unet"] for source in sources]
    files = [file.path for part in parts for file in part.files]

    def read() -> None:
        piece = torch.empty(2 * BLOCK_ELEMENTS, dtype=torch.uint8)
        for part in parts:
            for ref in part.tensors.values():
                assert ref.file is not None
                size = math.prod(ref.shape) * TORCH_DTYPES[ref.dtype].itemsize
                for start in range(0, size, len(piece)):
                    ref.file.read_into(ref.key, start, piece[: size - start])

    def multiply() -> None:
        for layout in parts[0].layouts.values():
            compute_gram(sources, layout)

    for part in parts:
        _ = part.sha256  # known from opening the sources for any purpose
    ours, again, floors = [], [], []
    for _ in range(ROUNDS):
        forget(files)
        floors.append(seconds(read))
        with tempfile.TemporaryDirectory() as cache, unittest.mock.patch.dict(os.environ, M2N2_CACHE=cache):
            forget(files)
            ours.append(seconds(multiply))
            again.append(seconds(multiply))
    _row(table, "Gram pass over four UNets, cold", ours, floors)
    _row(table, "the same again, from the cache", again, floors)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _touch(plan: Plan, tensors: list[TensorPlan], parameters: dict[str, torch.Tensor]) -> None:
    """Copy every source byte that a weave needs, and write every parameter, with as many workers and no arithmetic."""

    def copy(job: tuple[TensorPlan, int, int]) -> None:
        tensor, start, stop = job
        for part in plan.source_components("unet"):
            part.read_elements(tensor.name, start, stop)
        parameters[tensor.name].view(-1)[start:stop].fill_(0.0)

    jobs = ((one, k, min(k + PIECE, one.size)) for one in tensors for k in range(0, one.size, PIECE))
    for _ in in_parallel(copy, jobs):
        pass


def _row(table: Table, what: str, ours: list[float], floors: list[float]) -> None:
    mine, low = statistics.median(ours), statistics.median(floors)
    table.add_row(what, f"{mine:.2f}", f"{low:.2f}", f"{mine / low:.2f}")


if __name__ == "__main__":
    main()
