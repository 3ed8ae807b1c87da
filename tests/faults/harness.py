"""Faults at random moments of what people do with the studio: what is resumed must equal what was never interrupted."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.errors import M2N2Error
from pipelines.storage.unfinished import leftovers, remove_leftover
from studio.exporting.registry import list_exports
from studio.library.prompt_library import prompt_sets
from studio.ui.common.studio import Studio
from tests.processes import FORKED

from .damage import BEYOND_REPAIR, DAMAGE, RUN, keep, mend_sources, put_back
from .injection import FAULTS, Injection
from .scenarios import OTHER, SCENARIOS, Scenario, files_of, json_of, run_of

ATTEMPTS = 3  # times that somebody tries again what did not end well
LEFT_OUT = (".lock", ".log", "-wal", "-shm", ".lost")  # files that come and go
_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, what it printed, how many moments it had."""

    code: int
    output: str
    moments: int


@dataclass
class Trial:
    """One fault: what was found wrong, as sentences; nothing where all is well."""

    scenario: str
    fault: str
    moment: int
    seed: int
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Everything that was found wrong."""
        return [*self.differences, *self.half_written, *self.lost, *self.tracebacks]


@dataclass(frozen=True)
class Reference:
    """A scenario that was not interrupted: what it begins with, what comes of it, how many moments it has."""

    start: Path
    outcome: str
    files: dict[str, str]
    moments: int


class Harness:
    """Brings faults about in folders below `base`; processes begin with everything imported."""

    def __init__(self, base: Path) -> None:
        self.base, self.work = base, base / "work"
        self._starts: dict[Callable[[Path], None], Path] = {}
        self._references: dict[str, Reference] = {}

    def trial(self, scenario: Scenario, fault: str, seed: int) -> Trial:
        """Bring one fault about, and see what comes of it."""
        began, rng, reference = time.monotonic(), random.Random(seed), self.reference(scenario)
        moment = rng.randrange(reference.moments)
        found = Trial(scenario.name, fault, moment, seed)
        safe = self.base / "safe"
        shutil.rmtree(safe, ignore_errors=True)
        self._lay_out(reference.start, scenario)
        in_process = fault if fault in FAULTS else "kill"
        self._judged(found, self._run(scenario, Injection(in_process, moment, seed)))
        if fault in BEYOND_REPAIR:
            keep(self.work, safe)
        if fault in DAMAGE:
            DAMAGE[fault](self.work, rng)
        found.half_written += [] if fault in BEYOND_REPAIR else half_written(self.work, reference.files)
        self._judged(found, listed := self._start(list_everything, self.work).ended())
        found.lost += [listed.output] if listed.code else []
        mend_sources(self.work, reference.start / "sources")
        if fault in BEYOND_REPAIR:
            self._judged(found, tried := self._run(scenario, Injection()))
            if tried.code or self._outcome(scenario) != reference.outcome:
                put_back(self.work, safe)
        if fault == "two resumers" and (self.work / RUN / "run.db").is_file():
            both = [self._start(perform, scenario.name, self.work, Injection()) for _ in range(2)]
            ends = [one.ended() for one in both]
            for end in ends:
                self._judged(found, end)
            if all(end.code for end in ends):
                found.differences.append(f"of two resumers none went on: {ends[0].output}")
        ended = self._tried_again(scenario, found)
        outcome = self._outcome(scenario)
        if ended.code:
            found.differences.append(f"does not end: {ended.output.strip()[-300:]}")
        elif outcome != reference.outcome:
            found.differences.append("ends otherwise than uninterrupted")
        else:
            found.differences += self._other_files(fault, reference)
        found.seconds = time.monotonic() - began
        return found

    def reference(self, scenario: Scenario) -> Reference:
        """What a scenario comes to without a fault; found out once."""
        if scenario.name not in self._references:
            start = self._prepared(scenario)
            self._lay_out(start, scenario)
            ended = self._run(scenario, Injection())
            assert ended.code == 0, f"{scenario.name}: {ended.output}"
            outcome, files = self._outcome(scenario), _files(self.work)
            self._references[scenario.name] = Reference(start, outcome, files, ended.moments)
        return self._references[scenario.name]

    def _prepared(self, scenario: Scenario) -> Path:
        if scenario.prepare not in self._starts:
            start = self.base / f"start-{len(self._starts)}"
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir()
            ended = self._start(prepare, scenario.name, self.work).ended()
            assert ended.code == 0, f"{scenario.name}: {ended.output}"
            self.work.rename(start)
            self._starts[scenario.prepare] = start
        return self._starts[scenario.prepare]

    def _lay_out(self, start: Path, scenario: Scenario) -> None:
        """Make the folder anew that is worked in; always the same one, as what is cached is known by its path."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(start, self.work)
        scenario.lend(self.work)

    def _run(self, scenario: Scenario, injection: Injection) -> Ended:
        return self._start(perform, scenario.name, self.work, injection).ended()

    def _tried_again(self, scenario: Scenario, found: Trial) -> Ended:
        for _ in range(ATTEMPTS):
            for leftover in leftovers(self.work):
                remove_leftover(leftover)
            ended = self._run(scenario, Injection())
            self._judged(found, ended)
            if ended.code == 0:
                break
        return ended

    def _outcome(self, scenario: Scenario) -> str:
        return (
            self._start(tell_outcome, scenario.name, self.work).ended().output.rpartition("\n")[2]
        )  # after what was warned of

    def _judged(self, found: Trial, ended: Ended) -> None:
        if "Traceback" in ended.output:
            found.tracebacks.append(ended.output.strip()[-800:])

    def _other_files(self, fault: str, reference: Reference) -> list[str]:
        """Files that are there, or are not, beside those of the uninterrupted one."""
        names = _files(self.work).keys() ^ reference.files.keys()
        if fault == "deleted pictures":
            names = {name for name in names if not name.endswith(".png")}
        return [f"{name} is there in one of the two alone" for name in sorted(names)]

    def _start(self, target: Callable[..., None], *arguments: Any) -> _Running:
        return _Running(FORKED, target, arguments)


class _Running:
    """A process that was started; what it prints comes through a pipe, which no full disk stops."""

    def __init__(self, context: Any, target: Callable[..., None], arguments: Sequence[Any]) -> None:
        self._reader, writer = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(target=_in_process, args=(writer, target, *arguments))
        self._process.start()
        writer.close()

    def ended(self) -> Ended:
        """Wait for its end."""
        said = b""
        while block := os.read(self._reader.fileno(), 1 << 16):
            said += block
        self._reader.close()
        self._process.join()
        text, _, moments = said.decode("utf-8", "replace").partition("\0")
        return Ended(self._process.exitcode or 0, text, int(moments or 0))


def _in_process(writer: Connection, target: Callable[..., Any], *arguments: Any) -> None:
    """Do something in this new process, with all that is printed going into a pipe."""
    for stream in (1, 2):
        os.dup2(writer.fileno(), stream)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", encoding="utf-8", closefd=False) for stream in (1, 2))
    target(*arguments)


def _settle(work: Path) -> None:
    os.environ["M2N2_CACHE"] = str(work / "cache")
    os.chdir(work.parent)


def prepare(name: str, work: Path) -> None:
    """Make the folder of a scenario."""
    _settle(work)
    _BY_NAME[name].prepare(work)


def perform(name: str, work: Path, injection: Injection) -> None:
    """Do a scenario with a fault in it; says how many moments there were, where it comes to its end."""
    _settle(work)
    count = injection.arm(work)
    try:
        _BY_NAME[name].act(work)
    except (M2N2Error, OSError) as error:  # what pages and the command line say in words
        sys.exit(f"error: {error}")
    sys.stdout.flush()
    os.write(1, f"\0{count()}".encode())


def tell_outcome(name: str, work: Path) -> None:
    """Print what came of a scenario."""
    _settle(work)
    sys.stdout.write(json_of(_BY_NAME[name].outcome(work)))
    sys.stdout.flush()


def list_everything(work: Path) -> None:
    """See what pages and commands list: nothing of it may fail for one damaged thing, and the other run is there."""
    _settle(work)
    desk = Studio(work / "runs")
    names = desk.run_names()
    if (work / "runs" / OTHER).is_dir():
        assert OTHER in names, names
        with desk.run(OTHER) as store:
            assert store.individuals()
    for name in names:
        try:
            with desk.run(name) as store:
                store.individuals()
        except M2N2Error:
            assert name != OTHER
    list_exports(desk.exports)
    prompt_sets(desk.prompts)


def half_written(work: Path, wanted: dict[str, str]) -> list[str]:
    """Files that bear their final names and are not whole, or are only some of those that belong together."""
    found = []
    exports = files_of(work / "exports") if (work / "exports").is_dir() else {}
    whole = {place.removeprefix("exports/"): digest for place, digest in wanted.items() if place.startswith("exports/")}
    for name in {place.partition("/")[0] for place in exports}:
        there, then = (
            {place: digest for place, digest in some.items() if place.partition("/")[0] == name}
            for some in (exports, whole)
        )
        if there != then and not name.startswith((".", "current")):
            found.append(f"exports/{name} is not whole")
    for file in [*work.rglob("*.png"), *work.rglob("*.webp"), *work.rglob("cache/**/*.npy")]:
        if any(part.endswith(".m2n2-part") for part in file.parts):
            continue
        try:
            np.load(file) if file.suffix == ".npy" else Image.open(file).load()
        except (OSError, ValueError) as error:
            found.append(f"{file.relative_to(work)} is not whole: {error}")
    for entry in work.glob("cache/sha256/[0-9a-f]*"):
        if len(entry.read_text()) != 64:
            found.append(f"{entry.relative_to(work)} is not whole")
    run = work / RUN
    if run.is_dir() and any(run.iterdir()):
        try:
            run_of(run).close()
        except Exception as error:
            found.append(f"runs/run is there and no run: {' '.join(str(error).split())[-300:]}")
    return found


def _files(work: Path) -> dict[str, str]:
    return {
        name: digest
        for name, digest in files_of(work).items()
        if not name.endswith(LEFT_OUT) and not name.startswith("cache/")
    }
