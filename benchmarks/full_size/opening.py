"""How much is read of a checkpoint of 6.9 GB when it is opened: bytes and calls, by the system's own count.

    python -m benchmarks.full_size.opening [--folder FOLDER]

`source` opens it and looks at what it holds, `inspect` is `m2n2 sources inspect` without hashes that are not known yet.
Each runs in a process of its own, a second time after what is imported has been read. Bytes and calls are those of
system calls, whatever file they read; touched is what a process that holds the source has touched of the file through
memory maps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.storage.files import cache_dir

from ..machine import machine
from .checkpoints import make

KINDS = ("source", "inspect")


def look(kind: str, path: Path) -> object:
    """Open a checkpoint as a command or a page does; what it returns keeps it open."""
    if kind == "inspect":
        from typer.testing import CliRunner

        from studio.cli.app import app

        done = CliRunner().invoke(app, ["sources", "inspect", str(path)])
        if done.exit_code:
            raise SystemExit(done.output)
        return None
    from pipelines.checkpoints.source_uri import open_source_uri

    source = open_source_uri(path)
    if source.shortfalls or source.strange_keys or not source.architecture.text_to_image:
        raise SystemExit(f"{path} is no whole SDXL checkpoint.")
    return source


def counted() -> tuple[int, int]:
    """Bytes read by this process so far, and calls that read."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"]), int(lines["syscr"])


def touched(path: Path) -> int:
    """Bytes of the maps of a file that this process has touched."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) << 10
    return total


def count(kind: str, path: Path) -> dict[str, float]:
    """Count what opening reads, once what it imports is there."""
    look(kind, path)
    idle = counted()
    idle = tuple(now - then for now, then in zip(counted(), idle, strict=True))  # what counting itself reads
    before, started = counted(), time.perf_counter()
    kept = look(kind, path)
    seconds, after = time.perf_counter() - started, counted()
    read, calls = (b - a - own for a, b, own in zip(before, after, idle, strict=True))
    return {"read": read, "calls": calls, "seconds": seconds} | ({"touched": touched(path)} if kept else {})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_dir() / "benchmarks", help="for 7 GB of a checkpoint")
    parser.add_argument("--count", choices=KINDS, help=argparse.SUPPRESS)  # what the processes are asked for
    asked = parser.parse_args()
    path = make(asked.folder / "random-1.safetensors", 1)
    if asked.count:
        print(json.dumps(count(asked.count, path)))
        return
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    table = Table("", "kB read", "header, kB", "calls", "kB touched", "ms")
    for kind in KINDS:
        command = [sys.executable, "-m", "benchmarks.full_size.opening", "--folder", str(asked.folder), "--count", kind]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        table.add_row(
            kind,
            f"{found['read'] / 1e3:.1f}",
            f"{header / 1e3:.1f}",
            f"{found['calls']:.0f}",
            f"{found['touched'] / 1e3:.0f}" if "touched" in found else "",
            f"{1000 * found['seconds']:.0f}",
        )
    Console(width=100).print(table)
    print(f"{machine()}; {path.name} has {path.stat().st_size / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
