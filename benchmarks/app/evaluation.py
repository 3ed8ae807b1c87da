"""Where the time of an evaluation goes: model forward passes against everything else.

Runs a short evolution on the embedded family as the studio does, with a timer around each model's forward pass, and
divides the time of the offspring's evaluations. Weaving, the search, the database and pictures on disk are the rest.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table

from studio.evaluation.evaluator import Evaluator
from studio.evaluation.worker import LocalWorker
from studio.execution import control
from studio.execution.creation import create_run
from studio.runs.config import embedded

OFFSPRING = 10


def main() -> None:
    """Print the table."""
    spent: dict[str, float] = defaultdict(float)
    build = LocalWorker.__init__

    def timed(self: LocalWorker, evaluator: Evaluator, scorer: Any) -> None:
        build(self, evaluator, scorer)
        pipeline, clip = evaluator.pipeline._pipeline, scorer._model
        for name, module in {
            "text encoders": [pipeline.text_encoder, pipeline.text_encoder_2],
            "UNet": [pipeline.unet],
            "VAE": [pipeline.vae.decoder],
            "CLIP": [clip.visual, clip.transformer],
        }.items():
            for one in module:
                _time(one, name, spent)

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(mock.patch.object(LocalWorker, "__init__", timed))  # a stopwatch around the real thing
        store = create_run(Path(folder) / "run", embedded(evaluations=OFFSPRING))
        started: list[tuple[float, dict[str, float]]] = []

        def watch(store: Any) -> None:
            everyone = store.individuals()
            if len(everyone) == len(store.config.sources) or store.state.status == "reporting":
                started.append((time.perf_counter(), dict(spent)))

        control.carry_out(store, watch)
        (begin, before), (end, after) = started[:2]
        size = sum(file.stat().st_size for file in store.folder.glob("run.db*"))
        store.close()

    total = end - begin
    table = Table("part", "seconds per offspring", "share", title=f"evaluation of {OFFSPRING} offspring, 2 languages")
    forward = 0.0
    for name in after:
        seconds = after[name] - before.get(name, 0.0)
        forward += seconds
        table.add_row(name, f"{seconds / OFFSPRING:.3f}", f"{seconds / total:.1%}")
    table.add_row("forward passes", f"{forward / OFFSPRING:.3f}", f"{forward / total:.1%}")
    table.add_row("everything", f"{total / OFFSPRING:.3f}", "100 %")
    Console().print(table)
    print(f"run.db with {OFFSPRING + 4} individuals: {size / 1e6:.2f} MB; torch threads: {torch.get_num_threads()}")


def _time(module: torch.nn.Module, name: str, spent: dict[str, float]) -> None:
    began: list[float] = []
    module.register_forward_pre_hook(lambda *_: began.append(time.perf_counter()))

    def ended(*_: Any) -> None:
        spent[name] += time.perf_counter() - began.pop()

    module.register_forward_hook(ended)


if __name__ == "__main__":
    main()
