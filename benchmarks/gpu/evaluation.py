"""One evaluation taken apart: re-weave, text, UNet, VAE, scoring; before it, its memory against the device plan."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

import assets
from eval.scorers.clip import ClipScorer
from pipelines.errors import GenerationError
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.recipes.recipe import Recipe

from . import memory
from .bench import Bench, recipe
from .stopwatch import Stopwatch

CAPTIONS = ("a red apple on a table", "a small house by the sea", "赤い金魚", "a drawing of a cat")
STEPS = 8
BATCHES = (4, 1, 2)  # by what they tell, should time run out
COLUMNS = ("batch", "seconds", "re-weave", "text", "UNet", "VAE", "scoring", "rest", "pictures a minute")


def run(bench: Bench) -> None:
    """Measure the peaks of memory, then an evaluation of four captions, at batches of 4, 1 and 2; of 4 in any case."""
    bench.report.begin(memory.TITLE, memory.COLUMNS)
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
        watch = Stopwatch(bench, live)
        took = bench.seconds(lambda: live.weave(recipe(sources, 0.6)))
        bench.report.note(f"The first re-weave, which brings the sources to the device, took {took:.1f} s.")
        memory.measure(
            bench, live, watch, scorer.weights_bytes, {size: partial(_draw_once, live, bench, size) for size in BATCHES}
        )
        scorer.image_features([Image.new("RGB", (64, 64))])  # libraries choose their kernels
        bench.report.begin(f"An evaluation: {len(CAPTIONS)} captions, {STEPS} steps", COLUMNS)
        slowest = 0.0
        for number, batch in enumerate(BATCHES):
            if number and bench.left < slowest:
                bench.report.note(f"No time was left for batches of {batch}.")
                break
            began = time.perf_counter()
            _evaluate(bench, live, scorer, watch, batch, recipe(sources, 0.5 - number / 10))
            slowest = max(slowest, time.perf_counter() - began)
    finally:
        scorer.release()
        live.release()


def _draw_once(live: LivePipeline, bench: Bench, batch: int) -> None:
    """Draw a batch in one step, for what it takes of memory is the same at every step."""
    draw(live, bench, steps=1, batch=batch)


def draw(live: LivePipeline, bench: Bench, *, steps: int, batch: int, compiled: bool = False) -> list[Image.Image]:
    """Draw the captions; random weights may draw one colour, which is no matter here but said."""
    requests = [PictureRequest(caption, number) for number, caption in enumerate(CAPTIONS[:batch])]
    try:
        return live.generate(requests, bench.settings(steps=steps, batch=batch, compiled=compiled))
    except GenerationError as error:
        bench.report.say(f"refused: {error}")
        return []


def _evaluate(
    bench: Bench, live: LivePipeline, scorer: ClipScorer, watch: Stopwatch, batch: int, merge: Recipe
) -> None:
    live._forget_embeddings()  # so that text is encoded again
    watch.clear()
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
