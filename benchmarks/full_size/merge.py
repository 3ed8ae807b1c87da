"""`m2n2 merge` from Enter to the prompt at full size, over the floor; and what other commands take by themselves.

    python -m benchmarks.full_size.merge [--folder FOLDER] [--rounds 3] [--only merge]

The floor is `floor` of `weave`: the sources' bytes read and as many written, until they are on the disk. It and the
command take turns; the ratio is that of their medians, and of their best. Hashes of the sources are known, as in any
second merge. Commands are whole processes, start-up included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from pipelines.storage.files import cache_dir

from ..machine import machine
from .checkpoints import make
from .weave import measure

_COMMANDS = ("merge", "verify", "sources inspect", "sources check", "recipe blend", "--help")


class Taken(NamedTuple):
    """What a command took: seconds from Enter to the prompt, and seconds of all processors."""

    seconds: float
    processor: float


def take(*arguments: object, says: int = 0) -> Taken:
    """Run a command as a process of its own.

    Args:
        arguments: of `m2n2`.
        says: the exit code that is expected.

    Raises:
        SystemExit: it ended otherwise.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "studio.cli.app", *map(str, arguments)]
        both = [(os.POSIX_SPAWN_DUP2, said.fileno(), stream) for stream in (1, 2)]
        _, status, usage = os.wait4(os.posix_spawn(sys.executable, command, os.environ, file_actions=both), 0)
        if os.waitstatus_to_exitcode(status) != says:
            said.seek(0)
            raise SystemExit(said.read().decode())
    return Taken(time.perf_counter() - started, usage.ru_utime + usage.ru_stime)


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
    take(*blend, recipe)  # hashes the sources the first time
    take("merge", recipe, "--out", out)

    def merge() -> Taken:
        remove(out)
        return take("merge", recipe, "--out", out)

    commands: dict[str, Callable[[], Taken]] = {
        "merge": merge,
        "verify": lambda: take("verify", out),
        "sources inspect": lambda: take("sources", "inspect", paths[0]),
        # Nobody is in the folder of runs to compare with. Random weights are found to predict nothing that is named.
        "sources check": lambda: take("sources", "check", paths[0], "--runs", asked.folder / "runs", says=1),
        "recipe blend": lambda: take(*blend, blended),
        "--help": lambda: take("--help"),
    }
    table = Table("command", "seconds", "of processors", "floor", "over floor", "best over best")
    for name in asked.only:
        ours, floors = [], []
        for _ in range(asked.rounds):
            if name in ("merge", "verify"):
                floor = measure("floor", "weighted", "warm", asked.folder / "floor.safetensors", paths)
                floors.append(float(floor["seconds"]) if floor else float("nan"))
            ours.append(commands[name]())
            print(
                json.dumps({"command": name, **ours[-1]._asdict(), "floor": floors[-1:]}), file=sys.stderr, flush=True
            )
        taken, processor = map(statistics.median, zip(*ours, strict=True))
        base = statistics.median(floors) if floors else None
        over = (
            (f"{base:.1f}", f"{taken / base:.2f}", f"{min(ours).seconds / min(floors):.2f}") if base else ("", "", "")
        )
        table.add_row(name, f"{taken:.1f}", f"{processor:.1f}", *over)
    remove(out)
    for written in (recipe, blended):
        written.unlink(missing_ok=True)  # nothing blended, nothing written
    Console(width=110).print(table)
    print(f"{machine()}; medians of {asked.rounds} turns")


if __name__ == "__main__":
    main()
