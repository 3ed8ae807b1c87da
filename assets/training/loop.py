"""The training loop that every model here shares: schedule, moving average, checkpoints, resuming."""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from assets.training.settings import WORK

log = logging.getLogger("assets.training")
CHECKPOINT_SECONDS = 90

M = TypeVar("M", bound=nn.Module)


def setup(seed: int) -> None:
    """Seed everything, and log in one format."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    torch.manual_seed(seed)


def rate(step: int, steps: int, warmup: int = 50) -> float:
    """Learning rate factor: linear warm-up, then half a cosine down to zero at `steps`."""
    return min((step + 1) / warmup, 1.0) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


class Average:
    """Exponential moving average of a module's parameters, with a short memory at the start."""

    def __init__(self, model: nn.Module, decay: float = 0.995) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move a little towards the weights after `step`."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.lerp_(theirs, weight)
        for held, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            held.copy_(buffer)


def train(
    name: str,
    model: M,
    loss_of: Callable[[M, int], torch.Tensor],
    *,
    steps: int,
    lr: float,
    weight_decay: float = 0.01,
    decay: float = 0.995,
    on_step: Callable[[nn.Module, int], None] | None = None,
) -> nn.Module:
    """Minimise `loss_of(model, step)` with AdamW and return the averaged model.

    A checkpoint under the work folder lets a stopped training go on; a finished one is only read.
    Parameters without `requires_grad` stay as they are.

    Args:
        name: names the checkpoint.
        model: trained in place.
        loss_of: draws its own batch and returns a scalar.
        steps: optimiser steps in all.
        lr: the highest learning rate.
        weight_decay: of AdamW.
        decay: of the moving average.
        on_step: called with the averaged model and the number of steps done.
    """
    path = WORK / "checkpoints" / f"{name}.pt"
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=lr, betas=(0.9, 0.98), weight_decay=weight_decay)
    average = Average(model, decay)
    parts: dict[str, Any] = {"model": model, "average": average.model, "optimiser": optimiser}
    first = 0
    if path.is_file():
        saved = torch.load(path, weights_only=True)
        for part, thing in parts.items():
            thing.load_state_dict(saved[part])
        first = saved["step"]
        torch.set_rng_state(saved["rng"])

    model.train()
    started = kept = time.monotonic()
    running = 0.0
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * rate(step, steps)
        loss = loss_of(model, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        average.update(model, step)
        if on_step:
            on_step(average.model, step + 1)
        running = loss.item() if step == first else 0.98 * running + 0.02 * loss.item()
        last = step + 1 == steps
        if last or step % 100 == 0:
            speed = (step + 1 - first) / (time.monotonic() - started)
            log.info("%s: step %d of %d, loss %.4f, %.2f steps/s", name, step, steps, running, speed)
        if last or time.monotonic() - kept > CHECKPOINT_SECONDS:
            keep(path, {part: thing.state_dict() for part, thing in parts.items()} | {"step": step + 1})
            kept = time.monotonic()
    return average.model.eval()


def keep(path: Path, state: dict) -> None:
    """Write a checkpoint beside its place, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state | {"rng": torch.get_rng_state()}, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def steps_done(name: str) -> int:
    """Steps of a training that its checkpoint has behind it."""
    step: int = torch.load(WORK / "checkpoints" / f"{name}.pt", weights_only=True)["step"]
    return step


def restore(name: str, model: M) -> M:
    """Read the averaged weights of a training, finished or not, into `model`."""
    saved = torch.load(WORK / "checkpoints" / f"{name}.pt", weights_only=True)
    model.load_state_dict(saved["average"])
    return model.eval()
