"""The training loop that every model here shares: schedule, moving average, checkpoints, resuming.

On a GPU a step is recorded once as a CUDA graph and then replayed, since the models are so small that launching their
kernels takes longer than running them; several trainings then run beside each other, each in a stream of its own.
A step therefore draws its batch on the device, and never waits for the host.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from assets.training.settings import DEVICE, KEPT, WORK

log = logging.getLogger("assets.training")
CHECKPOINT_SECONDS = 90
#: Steps that are run before one is recorded: libraries choose their kernels in them.
WARM_STEPS = 3

M = TypeVar("M", bound=nn.Module)


def setup(seed: int) -> None:
    """Seed everything, and log in one format."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(seed)


def rate(step: torch.Tensor, steps: int, warmup: int = 50) -> torch.Tensor:
    """Learning rate factor: linear warm-up, then half a cosine down to zero at `steps`."""
    return ((step + 1) / warmup).clamp(max=1.0) * 0.5 * (1 + torch.cos(math.pi * (step / steps).clamp(max=1.0)))


class Training(Generic[M]):
    """One model that learns with AdamW, and the moving average of its weights.

    Args:
        name: names the checkpoint.
        model: trained in place; parameters without `requires_grad` stay as they are.
        loss_of: draws its own batch on the device and returns a scalar.
        steps: optimiser steps in all.
        planned: steps over which the learning rate falls to zero; `steps` if None, more where a training ends early.
        lr: the highest learning rate.
        weight_decay: of AdamW.
        decay: of the moving average, which has a short memory at the start.
    """

    def __init__(
        self,
        name: str,
        model: M,
        loss_of: Callable[[M], torch.Tensor],
        *,
        steps: int,
        lr: float,
        planned: int | None = None,
        weight_decay: float = 0.01,
        decay: float = 0.999,
    ) -> None:
        self.name, self.model, self.loss_of = name, model.to(DEVICE).train(), loss_of
        self.steps, self.planned = steps, planned or steps
        self.average: M = copy.deepcopy(self.model).requires_grad_(False)
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.averaged: list[torch.Tensor] = [
            held for held, live in zip(self.average.parameters(), model.parameters(), strict=True) if live.requires_grad
        ]
        self.highest, self.decay = lr, decay
        self.lr = torch.zeros((), device=DEVICE)
        self.step = torch.zeros((), device=DEVICE)
        self.loss = torch.zeros((), device=DEVICE)
        self.optimiser = torch.optim.AdamW(
            self.trained,
            lr=self.lr,
            betas=(0.9, 0.98),
            weight_decay=weight_decay,
            fused=True,
            capturable=DEVICE.type == "cuda",
        )
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream() if DEVICE.type == "cuda" else None
        self.done = 0

    def run(self, until: int) -> M:
        """Train alone until so many steps are done, and return the averaged model."""
        together([self], until - self.done)
        return self.averaged_model()

    def averaged_model(self) -> M:
        """A copy of the averaged model, in evaluation mode."""
        return copy.deepcopy(self.average).eval()

    def advance(self) -> None:
        """Take one step; on a GPU in the stream of this training, once recorded."""
        if self.stream is None:
            self._step()
        elif self.done < WARM_STEPS:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                self._step()
        else:
            if self.graph is None:
                torch.cuda.synchronize()
                self.graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graph, stream=self.stream):
                    self._step()
            with torch.cuda.stream(self.stream):
                self.graph.replay()
        self.done += 1

    def _step(self) -> None:
        self.lr.copy_(self.highest * rate(self.step, self.planned))
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss_of(self.model)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        with torch.no_grad():
            weight = 1 - ((1 + self.step) / (10 + self.step)).clamp(max=self.decay)
            for held, live in zip(self.averaged, self.trained, strict=True):
                held.lerp_(live, weight)
            for held, buffer in zip(self.average.buffers(), self.model.buffers(), strict=True):
                held.copy_(buffer)
            self.loss.lerp_(loss.detach(), 1 / (1 + self.step).clamp(max=50))
            self.step.add_(1)

    def keep(self) -> None:
        """Write a checkpoint beside its place, then rename it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {part: thing.state_dict() for part, thing in self._parts().items()}
        state |= {"done": self.done, "step": self.step, "loss": self.loss, "rng": torch.get_rng_state()}
        torch.save(state, self.path.with_suffix(".part"))
        self.path.with_suffix(".part").rename(self.path)

    def store(self) -> None:
        """Write the averaged weights of what was trained, and buffers, in half precision."""
        names = {name for name, live in self.model.named_parameters() if live.requires_grad}
        names |= {name for name, _ in self.average.named_buffers()} & self.average.state_dict().keys()
        state = {key: value for key, value in self.average.state_dict().items() if key in names}
        half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        KEPT.mkdir(exist_ok=True)
        tensors = {key: value.contiguous().cpu() for key, value in half.items()}
        save_file(tensors, _kept(self.name), {"steps": str(self.done)})

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        if self.path.is_file():
            saved = torch.load(self.path, weights_only=True, map_location=DEVICE)
            for part, thing in self._parts().items():
                thing.load_state_dict(saved[part])
            for group in self.optimiser.param_groups:  # what was loaded is a copy that no step sets
                group["lr"] = self.lr
            self.done = saved["done"]
            self.step.copy_(saved["step"])
            self.loss.copy_(saved["loss"])
            torch.set_rng_state(saved["rng"].cpu())

    @property
    def path(self) -> Path:
        """Where the checkpoint lies."""
        return _checkpoint(self.name)

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "average": self.average, "optimiser": self.optimiser}


def together(trainings: Sequence[Training], steps: int) -> None:
    """Take `steps` steps of every training in turn; checkpoints let a stopped one go on."""
    _settle()
    started = kept = time.monotonic()
    for step in range(steps):
        for training in trainings:
            training.advance()
        last = step + 1 == steps
        if last or step % 500 == 0:
            speed = (step + 1) / (time.monotonic() - started)
            said = ", ".join(f"{training.name} {float(training.loss):.4f}" for training in trainings)
            log.info("step %d of %d, %.2f steps/s: %s", step, steps, speed, said)
        if last or time.monotonic() - kept > CHECKPOINT_SECONDS:
            _settle()
            for training in trainings:
                training.keep()
            kept = time.monotonic()


def _settle() -> None:
    """Wait until all streams are idle: weights are read and written in the default one between steps."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def train(*trainings: Training) -> None:
    """Train some models beside each other to their ends, from their checkpoints where there are some, and keep them."""
    for training in trainings:
        training.resume()
    while going := [training for training in trainings if training.done < training.steps]:
        together(going, min(training.steps - training.done for training in going))
    for training in trainings:
        training.store()


def _checkpoint(name: str) -> Path:
    return WORK / "checkpoints" / f"{name}.pt"


def _kept(name: str) -> Path:
    return KEPT / f"{name}.safetensors"


def restore(name: str, model: M) -> M:
    """Read the averaged weights of a training into `model`: from its checkpoint, or as they are kept.

    What was frozen is not kept: `model` holds it already.
    """
    if _checkpoint(name).is_file():
        state = torch.load(_checkpoint(name), weights_only=True, map_location=DEVICE)["average"]
    else:
        state = load_file(_kept(name))
    strangers = model.load_state_dict(state, strict=False).unexpected_keys
    if strangers:
        raise ValueError(f"{name}: expected keys of the model, found {strangers[:3]}")
    return model.to(DEVICE).eval()
