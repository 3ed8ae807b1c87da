"""Fuzz every reader in turn until the time is up: `python -m tests.fuzz --minutes 60`; prints inputs and findings."""

from __future__ import annotations

import argparse
import contextlib
import logging
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from pipelines.errors import M2N2Error

from .readers import READERS, Reader

ROUND = 100  # inputs of a reader in a row
MOST_MEMORY = 2 << 30  # bytes; above it the process is said to have grown
MOST_OF_AN_INPUT = 1 << 30  # bytes that a reader may hold for one input
MOST_ADDRESSES = 12 << 30  # bytes; an input that asks for more is a finding, where it would end the process


def fuzz(reader: Reader, number: int) -> tuple[int, str | None]:
    """Give a reader a round of inputs; returns how many, and the traceback of what was no error of the house."""
    count = 0
    with tempfile.TemporaryDirectory() as place:
        reader.prepare(Path(place))

        @seed(number)
        @settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(reader.inputs)
        def read(content: object) -> None:
            nonlocal count
            count += 1
            before = _memory(reset=True)
            with contextlib.suppress(M2N2Error):
                reader.read(Path(place), content)
            held = _memory() - before
            assert held < MOST_OF_AN_INPUT, f"{held >> 20} MiB held for one input"

        try:
            read()
        except Exception:
            return count, traceback.format_exc()
    return count, None


def _memory(*, reset: bool = False) -> int:
    """Return the most bytes that this process held since the last reset, as Linux counts them."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return next(
        int(line.split()[1]) << 10
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )


def main() -> int:
    """Fuzz until the time is up; returns 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", help="part of a reader's name")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    readers = [reader for reader in READERS if not asked.only or asked.only in reader.name]
    began, number = time.monotonic(), asked.seed
    inputs: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    findings: dict[str, str] = {}
    print(f"seed {asked.seed}, {len(readers)} readers, {asked.minutes:g} minutes", flush=True)
    while time.monotonic() - began < 60 * asked.minutes:
        for reader in readers:
            started, number = time.monotonic(), number + 1
            count, found = fuzz(reader, number)
            inputs[reader.name] += count
            seconds[reader.name] += time.monotonic() - started  # type: ignore[assignment]
            if found and reader.name not in findings:
                findings[reader.name] = found
                shown = [line[:300] for line in found.splitlines() if line.strip()]
                print(f"\n{reader.name}, seed {number}:", *shown[-40:], sep="\n", flush=True)
            if time.monotonic() - began >= 60 * asked.minutes:
                break
    print(f"\n{'reader':32} {'inputs':>8} {'seconds':>8}  findings")
    for reader in readers:
        found_here = "1" if reader.name in findings else "none"
        print(f"{reader.name:32} {inputs[reader.name]:8} {seconds[reader.name]:8.0f}  {found_here}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    grown = peak > MOST_MEMORY
    print(f"{'all':32} {sum(inputs.values()):8} {time.monotonic() - began:8.0f}  {len(findings) or 'none'}")
    print(f"memory at most {peak >> 20} MiB")
    return 1 if findings or grown else 0


if __name__ == "__main__":
    sys.exit(main())
