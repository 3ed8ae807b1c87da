"""Workers that draw nothing, for processes that start in a moment: nothing that computes is imported here.

What a recipe is worth depends on its name alone. Names tell what else is to happen: `kills` ends the process each time,
`kills once` only the first, `hangs once` says nothing any more the first time, `breaks once` and `breaks` draw no
picture, `until told` waits for a file. First times are told from files in a folder.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import psutil

from pipelines.errors import GenerationError
from studio.errors import ConfigError
from studio.jobs.worker_account import WorkerIdentity


class Asked:
    """A request that names a recipe, as far as a pool and a stand-in look at it: one prompt, with one noise."""

    prompt_count = 1

    def __init__(self, name):
        self.recipe = SimpleNamespace(name=name)

    def prompts_in(self, pictures):
        return pictures


def asked(name):
    """A request for a recipe of that name."""
    return Asked(name)


def worth(name):
    """What a stand-in finds a recipe worth, in 0..1."""
    return random.Random(name).random()


class StandIn:
    """A worker; `folder` is where processes note what they have done, in a file."""

    identity = WorkerIdentity("here", "nothing", "none")

    def __init__(self, folder, notes="asked"):
        self.folder, self.notes = Path(folder), Path(folder) / notes

    def evaluate(self, request, on_progress=None):
        name = request.recipe.name
        with open(self.notes, "a") as file:
            file.write(f"{os.getpid()} {name}\n")
        if name == "kills" or (name == "kills once" and self._first(name)):
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "hangs once" and self._first(name):
            time.sleep(600)
        if name == "breaks" or (name == "breaks once" and self._first(name)):
            raise GenerationError("came out with NaN")
        while name == "until told" and not (self.folder / "told").exists():
            time.sleep(0.02)
        if name == "waits":
            time.sleep(600)
        time.sleep(zlib.crc32(name.encode()) % 50 / 1000)  # so that they end in another order than they began
        on_progress(1)
        return worth(name)

    def _first(self, name):
        try:
            (self.folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def open_stand_in(folder, *arguments):
    """Open a worker, as a pool does in each of its processes; takes what `StandIn` takes, and a device."""
    return StandIn(folder, *arguments[:-1])


class Devices:
    """Devices for more workers: gives as many as there are in a list, and takes them back."""

    def __init__(self, *free):
        self.free = list(free)

    def another(self):
        return [self.free.pop()] if self.free else []

    def give_back(self, number):
        self.free.append(number)


def cannot_open(device):
    """Fail as a worker that lacks a source."""
    raise ConfigError("nothing to open")


def ends_at_once(device):
    """End as a process that has no memory for a pipeline."""
    os.kill(os.getpid(), signal.SIGKILL)


def opens_once(folder, device):
    """Open the first worker, and end where there is to be another."""
    if not StandIn(folder)._first("opened"):
        os.kill(os.getpid(), signal.SIGKILL)
    return StandIn(folder)


def opens_at_the_second_time(folder, device):
    """Fail to open the first time, as on one machine of several."""
    if StandIn(folder)._first("opened"):
        raise ConfigError("nothing to open here")
    return StandIn(folder)


def log(folder):
    """(process, recipe) of each evaluation that began, in order."""
    return [line.split(maxsplit=1) for line in (folder / "asked").read_text().splitlines()]


def ends_with_its_driver(program, folder, *arguments):
    """Kill a process once the worker that it started is at work, and see the worker end; `program` is Python's."""
    driver = subprocess.Popen([sys.executable, "-c", program, folder, *arguments])
    while not (folder / "asked").is_file() or not log(folder):
        assert driver.poll() is None
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(log(folder)[0][0])).wait(60)
