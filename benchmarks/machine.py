"""The machine a benchmark ran on, as its table names it."""

from __future__ import annotations

import os
from pathlib import Path


def machine() -> str:
    """The processor's name and how many cores this process sees."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    return f"{name}, {os.cpu_count()} cores"
