"""What the modules of a pipeline take while they are at work: seconds and bytes."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import torch

from pipelines.generation.live_pipeline import LivePipeline

from .bench import Bench


class Stopwatch:
    """Seconds, and bytes beyond those that were there before, of the forward passes of a pipeline's modules."""

    def __init__(self, bench: Bench, live: LivePipeline) -> None:
        """Watch a pipeline from now on."""
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
        """Begin anew."""
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
