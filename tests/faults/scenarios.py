"""What faults are brought about in: runs of both kinds, exports, merges, sets, votes; and what must come out of each.

A scenario works in a folder of its own: `runs/`, `exports/` and `prompts/` as a studio has them, `sources/` with what
is bred. It is done in a process of its own, again and again until it ends well, and has an outcome that does not depend
on how often it was interrupted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

import assets
from eval.prompts.prompt_set import Prompt, PromptSet, load_prompts
from studio.cli import app as cli
from studio.cluster.connection import joined_cluster
from studio.cluster.ray_slot import ray_pool
from studio.execution.creation import create_run
from studio.exporting.export_plan import plan_export
from studio.exporting.recipe_package import RecipePackage
from studio.exporting.registry import in_use, in_use_history, list_exports, put_in_use
from studio.jobs.worker_count import RayWorkers
from studio.judging.votes import read_votes, write_vote
from studio.library.prompt_library import prompt_set_path, save_prompt_set
from studio.networks.task import open_any
from studio.runs.config_file import configured
from studio.runs.kind import is_any
from studio.runs.status import locked
from studio.runs.store import RunStore, open_run
from studio.workers.process_slot import process_pool
from studio.workers.worker_pool import WorkerPool
from tests.data.before_rooms.before import lay_out
from tests.stand_in_runs import carry
from tests.stand_in_workers import asked, open_stand_in
from tests.voters import a_vote

from .machines import told, two_machines

CHANGING = ("birth.json", "SHA256SUMS")  # they hold times, or the hashes of what does
SCORER = """
def score(weights):
    return [1 - min(1, abs(value - 1)) for name in ("first", "second") for value in weights[name].tolist()]

def unseen(weights):
    return [1 - min(1, abs(weights[name].mean().item() - 1)) for name in ("first", "second")]
"""
VOTES, SETS = 8, 4
OTHER = "other"  # a run that is there already


@dataclass(frozen=True)
class Scenario:
    """Something that a person does with the studio.

    Attributes:
        name: what tables call it.
        prepare: makes the folder that it is done in.
        act: does it from wherever it was left, in a folder; raises or exits where it cannot.
        outcome: what came of it, as values that can be compared.
        faults: which faults can meet it, beside those that `everywhere` has.
        weight: how often it is chosen, beside the others: what takes long is less often.
        everywhere: faults that can meet almost everything.
        lend: gives the folder what outlives a trial, where something does; in the harness's own process.
    """

    name: str
    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    outcome: Callable[[Path], Any]
    faults: tuple[str, ...] = ()
    weight: int = 1
    everywhere: tuple[str, ...] = ("kill", "full disk")
    lend: Callable[[Path], None] = lambda work: None

    @property
    def meets(self) -> tuple[str, ...]:
        """All faults that can meet it."""
        return (*self.everywhere, *self.faults)


RUN_FAULTS = (
    "stop", "lost source", "cut source", "locked database", "clock jumps", "torn log", "torn database", "no log",
    "two resumers",
)  # fmt: skip


def command(*arguments: object) -> None:
    """Give a command of `m2n2` in this process, which ends with it where it fails."""
    sys.argv = ["m2n2", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise


def run_of(folder: Path) -> RunStore[Any]:
    """Open a run of either kind."""
    return open_any(folder) if is_any(folder) else open_run(folder)


def everything_of(folder: Path) -> Any:
    """All of a run that must not depend on how often it was interrupted, to the last bit."""
    store = run_of(folder)
    with contextlib.closing(store):
        everyone = [
            (one.id, one.mother, one.father, one.recipe.to_json(), one.entered, one.alive, one.error,
             {kind: values.tobytes() for kind, values in sorted(one.scores.items())})
            for one in store.individuals()
        ]  # fmt: skip
        state = store.state
        kept = {key: getattr(state, key) for key in ("status", "search", "results", "comparisons", "child", "items")}
    return everyone, kept


def _other_run(work: Path) -> None:
    """A run that no fault is about: no page may lose it."""
    (work / "runs").mkdir(parents=True, exist_ok=True)
    lay_out(work / "runs", "run")
    (work / "runs" / "run").rename(work / "runs" / OTHER)


def _networks(work: Path) -> None:
    _other_run(work)
    rng = np.random.default_rng(0)
    for number, name in enumerate(("left", "right")):
        tensors = {key: torch.from_numpy(rng.random(4096).astype("f4")) for key in ("first", "second")}
        tensors["steps"] = torch.tensor([number])
        (work / "sources" / name).mkdir(parents=True)
        save_file(tensors, work / "sources" / name / "model.safetensors")
    (work / "score.py").write_text(SCORER)
    content = {
        "kind": "any",
        "sources": ["sources/left", "sources/right"],
        "chromosomes": {"one": ["first"], "two": ["second"]},
        "scorer": "score.py:score",
        "reporter": "score.py:unseen",
        "evaluations": 8,
        "archive": 4,
        "seed": 5,
    }
    (work / "asked.yaml").write_text(yaml.safe_dump(content))


def _pictures(work: Path) -> None:
    _other_run(work)
    for name in ("ja", "flat"):
        shutil.copytree(assets.FAMILY / name, work / "sources" / name)
    for field, file in (("prompts", assets.EVOLVE), ("held_out", assets.HELD_OUT)):
        prompts = yaml.safe_load(file.read_text("utf-8"))
        few = [{key: value for key, value in one.items() if key != "reference"} for one in prompts["prompts"][:2]]
        (work / f"{field}.yaml").write_text(yaml.safe_dump({**prompts, "prompts": few}, allow_unicode=True), "utf-8")
    content = {
        "sources": ["sources/ja", "sources/flat"],
        "host": {"default": "ja"},
        "prompts": "prompts.yaml",
        "held_out": "held_out.yaml",
        "evaluations": 3,
        "archive": 3,
        "seed": 3,
        "pictures": {"steps": 1},
        "scorer": f"local-dir:{assets.JUDGE}",
        "reporter": f"local-dir:{assets.JURY}",
    }
    (work / "asked.yaml").write_text(yaml.safe_dump(content))


def evolve(work: Path) -> None:
    """Begin a run, or go on with it where there is one."""
    folder = work / "runs" / "run"
    if (folder / "run.db").is_file():
        command("evolve", "--resume", "--out", folder)
    else:
        command("evolve", work / "asked.yaml", "--out", folder)


def _bred(networks: Callable[[Path], None]) -> Callable[[Path], None]:
    def prepare(work: Path) -> None:
        networks(work)
        evolve(work)
        store = run_of(work / "runs" / "run")
        with contextlib.closing(store):
            child = [one for one in store.individuals() if not one.is_source][-1]
            child.recipe.save(work / "merge.json")

    return prepare


def _export(*names: str) -> Callable[[Path], None]:
    def act(work: Path) -> None:
        for name in names:
            if not (work / "exports" / name).exists():
                command("export", work / "runs" / "run", "0003", "--out", work / "exports" / name)

    return act


def _merge(*names: str) -> Callable[[Path], None]:
    def act(work: Path) -> None:
        for name in names:
            if not (work / "exports" / name).exists():
                command("merge", work / "merge.json", "--out", work / "exports" / name)

    return act


def _package(work: Path) -> None:
    target = work / "exports" / "momiji.recipe.zip"
    if not target.exists():
        with contextlib.closing(open_run(work / "runs" / "run")) as store:
            RecipePackage(plan_export(store, "0003", work / "exports" / "momiji"), target).write()


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of the files in a folder, by place, but of those that hold times."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name not in CHANGING
    }


def _exported(work: Path) -> Any:
    return files_of(work / "exports"), [one.name for one in list_exports(work / "exports")]


def _vote(work: Path) -> None:
    (work / "runs" / "voted").mkdir(parents=True, exist_ok=True)
    for number in range(len(read_votes(work / "runs" / "voted")), VOTES):
        write_vote(work / "runs" / "voted", a_vote(prompt=f"prompt {number}"))


def _save_sets(work: Path) -> None:
    path = prompt_set_path(work / "prompts", "mine")
    for count in range(1, SETS + 1):
        prompts = tuple(Prompt(id=str(k), category="all", ja=f"犬 {k}", en=f"dog {k}") for k in range(count))
        save_prompt_set(path, PromptSet(name="mine", prompts=prompts), overwrite=True)


def _choose(work: Path) -> None:
    for name in ("left", "right", "left"):
        put_in_use(work / "exports", name, "Aya")


def _exports_to_choose(work: Path) -> None:
    for name in ("left", "right"):
        (work / "exports" / name).mkdir(parents=True)
        (work / "exports" / name / "model_index.json").write_text("{}")
        (work / "exports" / name / "recipe.json").write_text("{}")


def _chosen(work: Path) -> Any:
    last = in_use_history(work / "exports")[0]
    return in_use(work / "exports"), (last["export"], last["who"])


def _nothing(work: Path) -> None:
    work.mkdir(exist_ok=True)


def _stand_ins(work: Path) -> None:
    """A run of which nothing is drawn: what a child is worth hangs on its recipe alone."""
    _pictures(work)
    content = yaml.safe_load((work / "asked.yaml").read_text())
    (work / "asked.yaml").write_text(yaml.safe_dump({**content, "evaluations": 24, "archive": 6, "noise_rotation": 9}))


def _carry(work: Path, pool: WorkerPool) -> None:
    folder = work / "runs" / "run"
    is_there = (folder / "run.db").is_file()
    with contextlib.ExitStack() as opened:
        store = open_run(folder) if is_there else create_run(folder, configured(work / "asked.yaml", {}, None))
        opened.enter_context(contextlib.closing(store))
        opened.enter_context(locked(store))
        threads = opened.enter_context(ThreadPoolExecutor(8))
        opened.enter_context(contextlib.closing(pool))
        carry(store, 4, evaluate=lambda name: pool.evaluate(asked(name), lambda _: None), executor=threads)
        store.update(status="done")


def _with_processes(work: Path) -> None:
    _carry(work, process_pool(partial(open_stand_in, work, "asked.log"), [None] * 4))


def _on_cluster(work: Path) -> None:
    """Four workers, on two machines that have room for two each."""
    cluster = told(work)
    os.environ.update(cluster["environment"])
    with joined_cluster(cluster["address"]):
        workers = RayWorkers(ray=4, gpus=0.5, cpus=1)
        _carry(work, ray_pool(partial(open_stand_in, work, "asked.log"), workers))


SCENARIOS = (
    Scenario("run, any network", _networks, evolve, lambda work: everything_of(work / "runs" / "run"), RUN_FAULTS, 10),
    Scenario("run, pictures", _pictures, evolve, lambda work: everything_of(work / "runs" / "run"),
             (*RUN_FAULTS, "deleted pictures"), 3),
    Scenario("run, workers", _stand_ins, _with_processes, lambda work: everything_of(work / "runs" / "run"),
             ("worker killed", "all killed", "torn log", "two resumers"), 2, ("kill",)),
    *([Scenario("run, cluster", _stand_ins, _on_cluster, lambda work: everything_of(work / "runs" / "run"),
                ("worker killed", "machine killed", "all killed"), 2, ("kill",),
                lambda work: two_machines().lend(work))] if find_spec("ray") else []),
    Scenario("export, any network", _bred(_networks), _export("network"), lambda work: files_of(work / "exports"),
             ("stop",)),
    Scenario("merge, any network", _bred(_networks), _merge("network"), lambda work: files_of(work / "exports"),
             ("stop",)),
    Scenario("export", _bred(_pictures), _export("momiji", "momiji.safetensors"), _exported, ("stop",)),
    Scenario("merge", _bred(_pictures), _merge("hotaru", "hotaru.safetensors"), _exported, ("stop",)),
    Scenario("recipe package", _bred(_pictures), _package, lambda work: files_of(work / "exports")),
    Scenario("votes", _nothing, _vote, lambda work: [one.prompt for one in read_votes(work / "runs" / "voted")],
             ("torn journal",), 3),
    Scenario("prompt set", _nothing, _save_sets, lambda work: len(load_prompts(work / "prompts" / "mine.yaml"))),
    Scenario("export in use", _exports_to_choose, _choose, _chosen, ("torn journal",)),
)  # fmt: skip


def json_of(outcome: Any) -> str:
    """An outcome as text that is equal where it is."""
    return json.dumps(outcome, default=lambda value: value.hex() if isinstance(value, bytes) else repr(value))
