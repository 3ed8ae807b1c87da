"""A child and the best source, each plain and searched at drawing time, at equal pictures.

    python -m benchmarks.inference_search RUN:INDIVIDUAL
    python -m benchmarks.inference_search EXPORT --source SOURCE --budgets 8 32 --count 24

The judge chooses among the pictures of a prompt, the jury scores what it chose, on prompts that evolution never saw.
Printed, and written to a Markdown file where `--out` names one.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import assets
from benchmarks.machine import machine
from eval.prompts.prompt_set import load_prompts
from eval.scorers import names
from pipelines.storage.files import write_whole
from studio.analysis.selection import best_source
from studio.evaluation.open_scorer import open_scorer
from studio.library.model_reference import open_model, run_config_of
from studio.runs.config_file import preset
from studio.runs.store import open_run

from .measure import Conditions, measure, table

COLUMNS = ("model", "search", "pictures", "steps", "judge", "jury", "jury, minus the child drawn plainly")


def source_beside(child: str) -> str:
    """Return the name of the source that did best in a child's run."""
    run, _, _ = child.rpartition(":")
    if run_config_of(child) is None:
        sys.exit(f"{child} is no individual of a run: expected --source with the source to compare it with.")
    store = open_run(run)
    best = best_source(store.individuals())
    store.close()
    if best is None:
        sys.exit(f"{run} has scored no source yet: expected --source with the one to compare with.")
    return f"{run}:{best.id}"


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference_search", description=__doc__)
    parser.add_argument("child", help="an exported folder, a recipe file, or RUN:INDIVIDUAL")
    parser.add_argument("--source", help="the source to compare with; the best one of the child's run if left out")
    parser.add_argument("--prompts", type=Path, default=assets.HELD_OUT, help="a prompt set that nobody was bred on")
    parser.add_argument("--count", type=int, default=24, help="how many of its prompts")
    parser.add_argument("--language", choices=("ja", "en"), default="ja")
    parser.add_argument("--budgets", type=int, nargs="+", default=[8, 32], help="pictures per prompt")
    parser.add_argument("--wording", action="append", default=[], help="another wording, with {} for the prompt")
    parser.add_argument("--scorer", default=names.of_folder(assets.JUDGE), help="who chooses")
    parser.add_argument("--reporter", default=names.of_folder(assets.JURY), help="who reports")
    parser.add_argument("--out", type=Path, help="a Markdown file to write the table to")
    asked = parser.parse_args(arguments)
    models = {"child": open_model(asked.child), "best source": open_model(asked.source or source_beside(asked.child))}
    recipe, sources = models["child"]
    conditions = Conditions(
        load_prompts(asked.prompts).subset(asked.count),
        asked.language,
        preset("standard", sources[recipe.lender("unet")]),
        tuple(asked.budgets),
        tuple(asked.wording),
        open_scorer(asked.scorer),
        open_scorer(asked.reporter),
    )
    started, found = time.monotonic(), {}
    for name, model in models.items():
        found[name] = measure(model, conditions)
        print(f"{name}: {model[0].name}, after {time.monotonic() - started:.0f} s", flush=True)
    rows = table(found, "child")
    printed = Table(*COLUMNS)
    for row in rows:
        printed.add_row(*(cell.replace("[", "\\[") for cell in row))
    title = f"{len(conditions.prompts)} prompts of {conditions.prompts.name}; {machine()}"
    Console(width=160).print(title, printed)
    if asked.out:
        lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        write_whole(asked.out, f"{title}\n\n{text}\n".encode())


if __name__ == "__main__":
    main()
