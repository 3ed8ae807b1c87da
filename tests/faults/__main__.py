"""`python -m tests.faults`: faults at many moments, and a table of what came of them; exit code 1 where it is wrong."""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
from pathlib import Path

from .harness import Harness, Trial
from .scenarios import SCENARIOS


def choices(moments: int, seed: int, scenario: str = "") -> list[tuple[str, str, int]]:
    """Scenario, fault and seed of so many trials, of scenarios whose names begin so; the same for the same seed."""
    rng, some = random.Random(seed), [one for one in SCENARIOS if one.name.startswith(scenario)]
    chosen = rng.choices(some, [one.weight for one in some], k=moments)
    return [(one.name, rng.choice(one.meets), rng.randrange(2**32)) for one in chosen]


def table(trials: list[Trial]) -> list[str]:
    """Lines of a table: a row for each scenario and fault, and one of all."""
    groups: dict[tuple[str, str], list[Trial]] = collections.defaultdict(list)
    for trial in trials:
        groups[trial.scenario, trial.fault].append(trial)
    head = ("scenario", "fault", "injected", "resumed", "differences", "half-written", "pages lost", "tracebacks")
    rows = [_row(*key, group) for key, group in sorted(groups.items())]
    rows.append(_row("all", "", trials))
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]


def _row(scenario: str, fault: str, group: list[Trial]) -> tuple[str, ...]:
    counts = [
        sum(bool(getattr(one, kind)) for one in group) for kind in ("differences", "half_written", "lost", "tracebacks")
    ]
    return (scenario, fault, str(len(group)), str(len(group) - counts[0]), *map(str, counts))


def main() -> int:
    """Run so many trials, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=200, help="how many faults")
    parser.add_argument("--seed", type=int, default=None, help="another one each time if left out")
    parser.add_argument("--scenario", default="", help="only those whose names begin so, as many moments of them")
    parser.add_argument("--only", type=int, default=None, help="only the trial with this number")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.moments} moments", flush=True)
    by_name, trials, began = {one.name: one for one in SCENARIOS}, [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder))
        for number, (name, fault, chosen) in enumerate(choices(options.moments, seed, options.scenario)):
            if options.only in (None, number):
                trials.append(trial := harness.trial(by_name[name], fault, chosen))
                print(
                    f"{number:4} {name}: {fault} at {trial.moment}, {trial.seconds:.1f} s",
                    *trial.problems,
                    sep="\n     ",
                    flush=True,
                )
    print("\n".join(["", *table(trials), "", f"{time.monotonic() - began:.0f} s, seed {seed}"]))
    return int(any(trial.problems for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
