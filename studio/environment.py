"""Where numbers come from: the machine and the programs that drew and scored, kept with runs and measurements."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
import torch

from pipelines.generation.devices import best_device

PACKAGES = ("m2n2-studio", "torch", "diffusers", "transformers", "open_clip_torch", "numpy", "pillow")


def current_environment() -> dict[str, str]:
    """Read the versions of what pictures and scores pass through, and the device; equal ones should give equal bits."""
    return {"python": platform.python_version(), "device": _device(), **package_versions()}


def _device() -> str:
    device = best_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def device_name(device: torch.device) -> str:
    """Name what computes on a device: the GPU, or the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor() if device.type == "cpu" else device.type


def describe_machine() -> dict[str, Any]:
    """Describe this machine: `system`, `processor`, `cores`, `memory` in bytes, `device`, `python`, `versions`."""
    device = best_device()
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "device": named,
        "python": platform.python_version(),
        "versions": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """Read the versions of what computes, by package; those that are not installed are left out."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:  # a checkout that was never installed
            continue
    return installed


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as facts:
            names = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
