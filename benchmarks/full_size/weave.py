"""Disk to disk at full size: seconds and memory of a merge, ours beside the floor, a plain loop and sd-mecha.

    python -m benchmarks.weave [--folder FOLDER] [--rounds 3]

The sides take turns in one run, each in a process of its own, `--rounds` times (the slow ones once); the table holds
medians. A turn ends when the result is on the disk, not when the page cache has it. `cold` drops the sources from the
page cache before each; `warm` leaves them there, where they fit. Makes random checkpoints of real size in FOLDER, 6.9
GB each, and keeps them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from pipelines.storage.files import cache_dir

from .checkpoints import make

# (sources, kind, page cache); four sources do not fit the cache of a 24 GB machine
SETTINGS = [
    (2, "weighted", "warm"),
    (2, "weighted", "cold"),
    (2, "slerp", "cold"),
    (4, "weighted", "cold"),
    (4, "slerp", "cold"),
]
SIDES = ("floor", "ours", "export", "loop", "sd-mecha")
SLOW = ("loop", "sd-mecha")


def measure(side: str, kind: str, cache: str, out: Path, paths: list[Path]) -> dict[str, Any] | None:
    """One turn of one side; `None` where it cannot run."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.full_size.rivals", side, kind, cache, str(out), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"{side} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_dir() / "benchmarks", help="for 28 GB of checkpoints")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    asked = parser.parse_args()
    paths = [make(asked.folder / f"random-{number}.safetensors", number) for number in range(1, 5)]
    out = asked.folder / "out.safetensors"
    table = Table("sources", "merge", "cache", "side", "seconds", "over floor", "anonymous GB", "same bytes")
    for count, kind, cache in SETTINGS:
        turns: dict[str, list[dict[str, Any]]] = {
            side: [] for side in asked.sides if (side, kind) != ("export", "slerp")
        }
        for number in range(asked.rounds):
            for side, found in turns.items():
                if number and side in SLOW:
                    continue
                turn = measure(side, kind, cache, out, paths[:count])
                if turn:
                    found.append(turn)
                    print(count, kind, cache, side, turn, file=sys.stderr, flush=True)
        base = statistics.median(turn["seconds"] for turn in turns["floor"])
        for side, found in turns.items():
            if not found:
                table.add_row(str(count), kind, cache, side, "did not run", "", "", "")
                continue
            seconds = statistics.median(turn["seconds"] for turn in found)
            hashes = {turn.get("sha256") for turn in found}
            same = "" if side == "floor" or len(found) == 1 else "yes" if len(hashes) == 1 else "no"
            anonymous = max(turn["anonymous"] for turn in found) / 1e9
            table.add_row(
                str(count), kind, cache, side, f"{seconds:.1f}", f"{seconds / base:.2f}", f"{anonymous:.2f}", same
            )
        table.add_section()
    Console(width=110).print(table)
    machine = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB"
    print(f"{machine}; medians of {asked.rounds} turns, of {' and '.join(SLOW)} one")


if __name__ == "__main__":
    main()
