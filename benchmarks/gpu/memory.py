"""The bytes that the device plan reckons with, beside the peaks that are measured: a row for each, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from pipelines.generation.cost import measure_sizes
from pipelines.generation.devices import plan_device
from pipelines.generation.live_pipeline import LivePipeline

from .bench import GB, Bench
from .stopwatch import Stopwatch

TITLE = "The device plan against measured peaks"
COLUMNS = ("batch", "moment", "GB planned", "GB at the peak", "planned over peak")
LEAST_SECONDS = 3.0  # that must be left for a batch


def measure(
    bench: Bench, live: LivePipeline, watch: Stopwatch, scorer: int, draws: Mapping[int, Callable[[], None]]
) -> None:
    """Report planned and measured bytes: what the UNet and the VAE take beyond what lay there before, and all.

    Args:
        bench: the run.
        live: the pipeline that draws.
        watch: on its modules.
        scorer: bytes of the scorer's weights.
        draws: what draws a batch, by its size.
    """
    for batch, draw in draws.items():
        planned, peaks = _planned(bench, live, batch, scorer), {}
        if bench.cuda and bench.left > LEAST_SECONDS:
            torch.cuda.empty_cache()  # what an earlier batch left reserved is no part of this one
            watch.clear()
            draw()
            peaks = {"UNet": watch.peaks["UNet"], "VAE": watch.peaks["VAE"]}
            peaks["all"] = torch.cuda.max_memory_reserved(bench.device)
        for moment, (words, size) in planned.items():
            peak = peaks.get(moment)
            measured = (peak / GB, size / max(peak, 1)) if peak is not None else ("not measured", "")
            bench.report.row(batch, words, size / GB, *measured)


def _planned(bench: Bench, live: LivePipeline, batch: int, scorer: int) -> dict[str, tuple[str, int]]:
    """What the plan says of a batch, in words and bytes by moment."""
    sizes = measure_sizes(live.sources, live.recipe.host, live.recipe.merged_components)
    settings = bench.settings(steps=1, batch=batch)
    plan = plan_device(bench.machine, sizes, settings, scorer=scorer)
    whole = batch if plan.vae == "whole" else 1
    upcast = sizes.weight_bytes(plan.decoding.itemsize)["vae"] - sizes.weight_bytes(plan.dtype.itemsize)["vae"]
    decoding = sizes.decoding_bytes(settings, plan.decoding.itemsize, whole, tiled=plan.vae == "tiles")
    return {
        "UNet": ("UNet at work", sizes.drawing_bytes(settings, plan.dtype.itemsize, batch)),
        "VAE": ("VAE at work", decoding + upcast),
        "all": (f"in all, {plan.offload}, VAE {plan.vae}", plan.needs),
    }
