"""One evaluation taken apart, and its memory against the device plan: re-weave, text, UNet, VAE, scoring."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

import assets
from eval.scorers.clip import ClipScorer
from pipelines.errors import GenerationError
from pipelines.generation.cost import measure_sizes
from pipelines.generation.devices import plan_device
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest

from .bench import GB, Bench, recipe

CAPTIONS = ("a red apple on a table", "a small house by the sea", "赤い金魚", "a drawing of a cat")
STEPS = 8
BATCHES = (1, 2, 4)
COLUMNS = ("batch", "seconds", "re-weave", "text", "UNet", "VAE", "scoring", "rest", "pictures a minute")
MEMORY = ("batch", "moment", "GB planned", "GB at the peak", "planned over peak")


def run(bench: Bench) -> None:
    """Measure an evaluation of four captions at batches of 1, 2 and 4."""
    bench.report.begin(f"An evaluation: {len(CAPTIONS)} captions, {STEPS} steps", COLUMNS)
    sources = bench.sources(4)
    scorer = _open_scorer(bench)
    settings = bench.settings(steps=STEPS, batch=max(BATCHES))
    began = time.perf_counter()
    live = LivePipeline(
        recipe(sources, 0.5), sources, settings=settings, machine=bench.machine, scorer=scorer.weights_bytes
    )
    bench.synchronize()
    bench.report.note(
        f"The pipeline was built and placed in {time.perf_counter() - began:.1f} s: {live.plan.to_json()}"
    )
    try:
        watch = _Stopwatch(bench, live, scorer)
        took = bench.seconds(lambda: live.weave(recipe(sources, 0.6)))
        bench.report.note(f"The first re-weave, which brings the sources to the device, took {took:.1f} s.")
        draw(live, bench, steps=1, batch=1)  # libraries choose their kernels
        scorer.image_features([Image.new("RGB", (64, 64))])
        memory: list[tuple[Any, ...]] = []
        for number, batch in enumerate(BATCHES):
            if bench.left < 5:
                bench.report.note(f"No time was left for batches of {batch}.")
                break
            memory += _evaluate(bench, live, scorer, watch, batch, recipe(sources, 0.5 - number / 10))
        if bench.cuda:
            bench.report.begin("The device plan against measured peaks", MEMORY)
            for row in memory:
                bench.report.row(*row)
    finally:
        scorer.release()
        live.release()


def draw(live: LivePipeline, bench: Bench, *, steps: int, batch: int, compiled: bool = False) -> list[Image.Image]:
    """Draw the captions; random weights may draw one colour, which is no matter here but said."""
    requests = [PictureRequest(caption, number) for number, caption in enumerate(CAPTIONS[:batch])]
    try:
        return live.generate(requests, bench.settings(steps=steps, batch=batch, compiled=compiled))
    except GenerationError as error:
        bench.report.say(f"refused: {error}")
        return []


def _evaluate(
    bench: Bench, live: LivePipeline, scorer: ClipScorer, watch: _Stopwatch, batch: int, merge: Any
) -> list[tuple[Any, ...]]:
    live._forget_embeddings()  # so that text is encoded again
    watch.clear()
    bench.forget_peak()
    began = time.perf_counter()
    woven = bench.seconds(lambda: live.weave(merge))
    requests = [PictureRequest(caption, number) for number, caption in enumerate(CAPTIONS)]
    pictures = []
    try:
        pictures = live.generate(requests, bench.settings(steps=STEPS, batch=batch))
    except GenerationError as error:
        bench.report.note(
            f"Batch of {batch}: a picture was refused, so figures are of the pictures until then: {error}"
        )
    scored = bench.seconds(lambda: scorer.score(pictures, CAPTIONS)) if pictures else 0.0
    total = time.perf_counter() - began
    parts = [watch.spent[name] for name in ("text", "UNet", "VAE")]
    rest = total - woven - sum(parts) - scored
    bench.report.row(
        batch, total, woven, *parts, scored, rest, 60 * len(pictures) / total if pictures else "none drawn whole"
    )
    return _against_plan(bench, live, watch, batch, scorer.weights_bytes)


def _against_plan(
    bench: Bench, live: LivePipeline, watch: _Stopwatch, batch: int, scorer: int
) -> list[tuple[Any, ...]]:
    """Rows of planned and measured bytes: weights, what the UNet and the VAE take beyond what lay there before."""
    if not bench.cuda:
        return []
    sizes = measure_sizes(live.sources, live.recipe.host, live.recipe.merged_components)
    settings = bench.settings(steps=STEPS, batch=batch)
    plan = plan_device(bench.machine, sizes, settings, scorer=scorer)
    whole = batch if plan.vae == "whole" else 1
    upcast = sizes.weight_bytes(plan.decoding.itemsize)["vae"] - sizes.weight_bytes(plan.dtype.itemsize)["vae"]
    planned = {
        "UNet": sizes.drawing_bytes(settings, plan.dtype.itemsize, batch),
        "VAE": sizes.decoding_bytes(settings, plan.decoding.itemsize, whole, tiled=plan.vae == "tiles") + upcast,
    }
    rows: list[tuple[Any, ...]] = [
        (batch, f"{part} at work", size / GB, watch.peaks[part] / GB, size / max(watch.peaks[part], 1))
        for part, size in planned.items()
    ]
    peak = torch.cuda.max_memory_reserved(bench.device)
    rows.append((batch, f"in all, {plan.offload}, VAE {plan.vae}", plan.needs / GB, peak / GB, plan.needs / peak))
    return rows


class _Stopwatch:
    """Seconds, and bytes beyond those that were there before, of the forward passes of a pipeline's modules."""

    def __init__(self, bench: Bench, live: LivePipeline, scorer: ClipScorer) -> None:
        self._bench = bench
        self.spent: dict[str, float] = defaultdict(float)
        self.peaks: dict[str, int] = defaultdict(int)
        pipeline = live._pipeline
        for name, modules in {
            "text": [pipeline.text_encoder, pipeline.text_encoder_2],
            "UNet": [pipeline.unet],
            "VAE": [pipeline.vae.decoder],
        }.items():
            for module in modules:
                self._watch(module, name)

    def clear(self) -> None:
        self.spent.clear()
        self.peaks.clear()

    def _watch(self, module: torch.nn.Module, name: str) -> None:
        began: list[tuple[float, int]] = []

        def start(*_: Any) -> None:
            self._bench.forget_peak()
            held = torch.cuda.memory_allocated(self._bench.device) if self._bench.cuda else 0
            began.append((time.perf_counter(), held))

        def stop(*_: Any) -> None:
            peak = self._bench.peak()
            then, held = began.pop()
            self.spent[name] += time.perf_counter() - then
            self.peaks[name] = max(self.peaks[name], peak - held)

        module.register_forward_pre_hook(start)
        module.register_forward_hook(stop)


def _open_scorer(bench: Bench) -> ClipScorer:
    """Open a scorer with random weights, of the size that full-size runs use; for a small family the embedded one."""
    if not bench.full:
        return ClipScorer(f"local-dir:{assets.JUDGE}", device=str(bench.device))
    folder = bench.folder / "scorer"
    folder.mkdir(exist_ok=True)
    _write_scorer(folder, open_clip.create_model)
    return ClipScorer(f"local-dir:{folder}", device=str(bench.device))


def _write_scorer(folder: Path, create: Callable[[str], torch.nn.Module]) -> None:
    model = create("ViT-B-32")
    config = {
        "model_cfg": open_clip.get_model_config("ViT-B-32"),
        "preprocess_cfg": {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    save_file(
        {key: tensor.contiguous() for key, tensor in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
