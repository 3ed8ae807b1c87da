"""Where numbers come from: the programs and the device that drew and scored, kept with every measurement."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from pipelines.generate import best_device

_PACKAGES = ("m2n2-studio", "torch", "diffusers", "transformers", "open_clip_torch", "numpy", "pillow")


def environment() -> dict[str, str]:
    """Versions of what pictures and scores pass through, and the device; equal ones should give equal bits."""
    found = {"python": platform.python_version(), "device": _device()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # the studio itself, run from its repository
    return found


def _device() -> str:
    device = best_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"
