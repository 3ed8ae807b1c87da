"""What only a GPU can tell, as tables: `python -m benchmarks.gpu --minutes 4 --out gpu.md`.

Full-size SDXL with random weights on a GPU; `--size embedded` runs every part in seconds on any machine, to see that it
runs. A part that fails says so and costs no other; the file is written after every row.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import diffusers
import torch
import transformers

from benchmarks.machine import machine as machine_name

from . import compiled, evaluation, offloading, weaving
from .bench import Bench, machine, make_sources, scratch_folder
from .report import Report

#: Parts, and the share of the time that is left which each may take; what one does not use, those after it have. An
#: evaluation has half a minute of building and warming up before its first figure, compiled blocks have twenty seconds.
PARTS: dict[str, tuple[Callable[[Bench], None], float]] = {
    "weaving": (weaving.run, 0.25),
    "evaluation": (evaluation.run, 0.45),
    "offloading": (offloading.run, 0.5),
    "compiled": (compiled.run, 1.0),
}
GRACE = 15.0  # seconds after which a part that does not return is given up, and all others with it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that were asked for; arguments are those of the command line if left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0, help="for all parts together")
    parser.add_argument("--out", type=Path, help="a file for the tables, .md or .json")
    parser.add_argument("--size", choices=["full", "embedded"], default="full")
    parser.add_argument("--folder", type=Path, help="for 28 GB of checkpoints; main memory where it has room")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    asked = parser.parse_args(arguments)
    here = machine()
    if asked.size == "full" and here.device.type != "cuda":
        print("This machine has no NVIDIA GPU that torch sees, so nothing was measured. Try --size embedded.")
        return
    end = time.perf_counter() + 60 * asked.minutes
    with tempfile.TemporaryDirectory(prefix="m2n2-gpu-", dir=asked.folder or scratch_folder()) as folder:
        os.environ["M2N2_CACHE"] = str(Path(folder) / "cache")
        bench = Bench(here, Report(asked.out, title()), Path(folder), asked.size == "full")
        ended = _give_up_after(end + GRACE - time.perf_counter(), bench.report, Path(folder))
        bench.report.begin("Sources", ())
        if bench.full:
            make_sources(bench)
        else:
            bench.report.note("The embedded family.")
        for name in asked.parts:
            work, share = PARTS[name]
            bench.give(share * (end - time.perf_counter()))
            run_part(bench, name, work)
        ended.set()
    bench.report.say("done")


def run_part(bench: Bench, name: str, work: Callable[[Bench], None]) -> None:
    """Run one part; what it raises becomes a note."""
    if bench.left <= 0:
        bench.report.begin(name, ())
        bench.report.note("No time was left for this part.")
        return
    try:
        work(bench)
    except Exception as error:  # one part costs no other
        traceback.print_exc()
        bench.report.note(f"This part ended with {type(error).__name__}: {' '.join(str(error).split())[:400]}")
    gc.collect()
    if bench.cuda:
        torch.cuda.empty_cache()


def title() -> str:
    """Name the machine, its card if it has one, and the libraries."""
    libraries = ", ".join(f"{one.__name__} {one.__version__}" for one in (torch, diffusers, transformers))
    return f"{machine_name()}; {libraries}"


def _give_up_after(seconds: float, report: Report, folder: Path) -> threading.Event:
    """End the process when time is up, for a compiler cannot be asked to stop; return what is set to go on."""
    ended = threading.Event()

    def end() -> None:
        if ended.wait(seconds):
            return
        report.note("Time was up before the last part had ended.")
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    return ended


if __name__ == "__main__":
    main()
