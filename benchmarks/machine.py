"""The machine a benchmark ran on, as its table names it."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def machine() -> str:
    """Name the processor, how many cores this process sees, and the NVIDIA GPU if torch sees one."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    card = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join([name, f"{os.cpu_count()} cores", *card])
