"""The embedded family as the tests' fixture: real models, opened once."""

import contextlib
import gc
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.recipes.recipe import blend
from studio.cli import app as cli
from studio.runs.config import embedded
from studio.runs.status import ask_to_stop

NAMES = list(assets.NAMES)

settings.register_profile("unhurried", deadline=None)  # on a busy machine any example takes long
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items):
    """Long files come first, for whatever comes last keeps one process alone: those with a browser, then slow ones.

    What needs a GPU is skipped where torch sees none.
    """
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="torch sees no GPU"))
    browsing, slow = ({item.path for item in items if item.get_closest_marker(name)} for name in ("browser", "slow"))
    items.sort(key=lambda item: (item.path not in browsing, item.path not in slow))


def pytest_collection_finish():
    """Half a million objects of imported modules are here to stay; each pipeline that is released looks for garbage.

    Otherwise it is looked for as rarely as by the command line.
    """
    gc.set_threshold(50_000)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache of the tests' own: a person's cache may know files that a test has changed."""
    os.environ["M2N2_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def family():
    """The four embedded sources, by name."""
    return {path.name: open_source(path) for path in assets.sources()}


@pytest.fixture(scope="session")
def layouts(family):
    return family["base"].components["unet"].layouts


@pytest.fixture(scope="session")
def one_hot(family):
    """Each source as a recipe, with `ja` as host."""
    rows = zip(family, np.eye(len(family)).tolist(), strict=True)
    return {
        name: blend(list(family.values()), {"attention": row, "backbone": row}, host={"default": "ja"}, name=name)
        for name, row in rows
    }


@pytest.fixture
def copied(tmp_path):
    """Gives a copy of an embedded source that a test may damage."""

    def copy(name, as_name=None):
        return Path(shutil.copytree(assets.FAMILY / name, tmp_path / (as_name or name)))

    return copy


@pytest.fixture(scope="session")
def few_prompts(tmp_path_factory):
    """A prompt set of five captions, one per category of single things."""
    content = yaml.safe_load(assets.EVOLVE.read_text("utf-8"))
    by_category = {prompt["category"]: prompt for prompt in content["prompts"] if prompt["category"] != "pairs"}
    content["prompts"] = [{**prompt, "reference": None} for prompt in by_category.values()]
    content["prompts"] = [{k: v for k, v in prompt.items() if v is not None} for prompt in content["prompts"]]
    path = tmp_path_factory.mktemp("prompts") / "few.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


@pytest.fixture(scope="session")
def fewer_prompts(few_prompts, tmp_path_factory):
    """Two of them: a report draws each a dozen times."""
    content = yaml.safe_load(few_prompts.read_text("utf-8"))
    path = tmp_path_factory.mktemp("prompts") / "fewer.yaml"
    path.write_text(yaml.safe_dump({**content, "prompts": content["prompts"][:2]}, allow_unicode=True), "utf-8")
    return path


@pytest.fixture(scope="session")
def small_config(few_prompts, fewer_prompts):
    """A run that ends in seconds: five captions, one step, an archive that overflows, a report on two captions."""
    return embedded(
        prompts=str(few_prompts),
        held_out=str(fewer_prompts),
        evaluations=4,
        archive=5,
        seed=3,
        pictures={"steps": 1},
    )


@pytest.fixture(scope="session")
def pair_config(small_config):
    """The same over two of the sources, for what does not depend on how many there are: a report draws each twice."""
    return small_config.model_copy(update={"sources": small_config.sources[:2]})


def without_report(store):
    """Ask a run to stop where its report begins."""
    if store.state.status == "reporting":
        ask_to_stop(store)


def stop_with(individuals):
    """Ask a run to stop once it has so many individuals, sources among them."""
    return lambda store: ask_to_stop(store) if len(store.individuals()) == individuals else None


def stop_after(offspring):
    """Ask a run to stop once it has bred so many offspring."""
    return lambda store: ask_to_stop(store) if store.count() == offspring else None


_LISTENERS: list[list[Path]] = []


def _note(event, arguments):
    if _LISTENERS and event in ("open", "sqlite3.connect") and isinstance(arguments[0], str):
        _LISTENERS[-1].append(Path(arguments[0]))


sys.addaudithook(_note)  # for good: Python takes no hook away


@contextlib.contextmanager
def files_opened():
    """The files that Python opens meanwhile, databases too."""
    opened: list[Path] = []
    _LISTENERS.append(opened)
    try:
        yield opened
    finally:
        _LISTENERS.remove(opened)


def python(*arguments, timeout=300):
    """Run Python in a process of its own; gives the finished process with its text output."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture
def m2n2(monkeypatch):
    """Run the command line; gives exit code, stdout and stderr, and with `json_output` also what stdout parses to."""

    def run(*arguments, json_output=False):
        monkeypatch.setattr(sys, "argv", ["m2n2", *map(str, arguments)])
        out, error, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                cli.main()
            except SystemExit as end:
                code = end.code or 0
        done = subprocess.CompletedProcess(arguments, code, out.getvalue(), error.getvalue())
        return (done, json.loads(done.stdout)) if json_output else done

    return run
