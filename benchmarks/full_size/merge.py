"""`m2n2 merge` from Enter to the prompt at full size, over the floor; and what other commands take by themselves.

    python -m benchmarks.full_size.merge [--folder FOLDER] [--rounds 3] [--only merge]

The floor is `floor` of `weave`: the sources' bytes read and as many written, until they are on the disk. It and the
command take turns; the ratio is that of their medians, and of their best. Hashes of the sources are known, as in any
second merge. Commands are whole processes, start-up included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.storage.files import cache_dir

from ..machine import machine
from .checkpoints import make
from .weave import measure

_COMMANDS = ("merge", "verify", "sources inspect", "recipe blend", "--help")


def seconds(*arguments: object) -> float:
    """How long a command takes as a process of its own.

    Raises:
        SystemExit: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "studio.cli.app", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - started


def remove(target: Path) -> None:
    """Remove a single file and its documents."""
    target.unlink(missing_ok=True)
    shutil.rmtree(target.with_suffix(".about"), ignore_errors=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_dir() / "benchmarks", help="for 28 GB of checkpoints")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=_COMMANDS, choices=_COMMANDS)
    asked = parser.parse_args()
    paths = [make(asked.folder / f"random-{number}.safetensors", number) for number in (1, 2)]
    recipe, blended, out = (asked.folder / name for name in ("merge.json", "blended.json", "merged.safetensors"))
    remove(out)
    blend = ("recipe", "blend", *paths, "--weights", "0.3,0.7", "--out")
    seconds(*blend, recipe)  # hashes the sources the first time
    seconds("merge", recipe, "--out", out)

    def merge() -> float:
        remove(out)
        return seconds("merge", recipe, "--out", out)

    commands: dict[str, Callable[[], float]] = {
        "merge": merge,
        "verify": lambda: seconds("verify", out),
        "sources inspect": lambda: seconds("sources", "inspect", paths[0]),
        "recipe blend": lambda: seconds(*blend, blended),
        "--help": lambda: seconds("--help"),
    }
    table = Table("command", "seconds", "floor", "over floor", "best over best")
    for name in asked.only:
        ours, floors = [], []
        for _ in range(asked.rounds):
            if name in ("merge", "verify"):
                floor = measure("floor", "weighted", "warm", asked.folder / "floor.safetensors", paths)
                floors.append(float(floor["seconds"]) if floor else float("nan"))
            ours.append(commands[name]())
            print(json.dumps({"command": name, "seconds": ours[-1], "floor": floors[-1:]}), file=sys.stderr, flush=True)
        taken = statistics.median(ours)
        base = statistics.median(floors) if floors else None
        over = (f"{base:.1f}", f"{taken / base:.2f}", f"{min(ours) / min(floors):.2f}") if base else ("", "", "")
        table.add_row(name, f"{taken:.1f}", *over)
    remove(out)
    for written in (recipe, blended):
        written.unlink(missing_ok=True)  # nothing blended, nothing written
    Console(width=110).print(table)
    print(f"{machine()}; medians of {asked.rounds} turns")


if __name__ == "__main__":
    main()
