"""Where numbers come from: the programs and the device that drew and scored, kept with every measurement."""

from __future__ import annotations

import platform

import torch

from pipelines.generation.live_pipeline import best_device

from .machine import versions


def environment() -> dict[str, str]:
    """Versions of what pictures and scores pass through, and the device; equal ones should give equal bits."""
    return {"python": platform.python_version(), "device": _device(), **versions()}


def _device() -> str:
    device = best_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"
