"""What README and docs promise: their shell lines run, their links lead somewhere, their messages are the program's."""

import ast
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.floors import OTHERS, ROOT, modules

ENGLISH = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if ".ja." not in page.name)]
NOT_RUN = re.compile(r"<!-- not run: .+ -->\n$")
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?:\]\(|(?:src|href)=\")([^)\"\s]+)")
MESSAGE = re.compile(r"^\| ([^|]*`[^|]*) \|", re.MULTILINE)


def japanese(page):
    """The Japanese twin of an English page."""
    return page.with_suffix(".ja.md")


def shell_blocks(page):
    """The shell lines of a page, block by block, and whether they are to be run."""
    text = page.read_text("utf-8")
    for block in SHELL.finditer(text):
        lines = [line for line in block[1].splitlines() if line.strip() and not line.startswith("#")]
        yield lines, not NOT_RUN.search(text[: block.start()])


def in_either_language(lines):
    """The commands of a page, without comments and whichever language they ask for."""
    return [line.partition("  #")[0].rstrip().replace("--lang ja", "--lang en") for line in lines]


def runnable(page):
    return [line for lines, run in shell_blocks(page) if run for line in lines]


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.name)
def test_every_page_has_its_japanese_twin_with_the_same_commands(page):
    assert japanese(page).is_file(), f"{page.name} has no Japanese twin"
    ours, theirs = ([in_either_language(lines) for lines, _ in shell_blocks(one)] for one in (page, japanese(page)))
    assert ours == theirs


def files_named(words):
    """The files that the words of a line name, alone or after a sign of equality, and what is in them."""
    named = [Path(word.rpartition("=")[2]) for word in words]
    return tuple((str(file), file.read_bytes()) for file in named if file.is_file())


@pytest.fixture(scope="module")
def bred(tmp_path_factory):
    """Breeds as a line says, in one step; what a line bred on another page out of the same files is a copy."""
    kept = {}

    def breed(m2n2, words):
        known, run = (tuple(words), files_named(words)), Path(words[words.index("--out") + 1])
        if known in kept:
            done, copy = kept[known]
            shutil.copytree(copy, run)
            return done
        done = m2n2(*words[1:], "--set", "pictures.steps=1")
        if done.returncode == 0:
            kept[known] = done, shutil.copytree(run, tmp_path_factory.mktemp("bred") / run.name)
        return done

    return breed


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in ENGLISH if runnable(page)], ids=lambda page: page.name)
def test_the_shell_lines_of_a_page_run_one_after_the_other(page, m2n2, bred, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in runnable(page):
        words = shlex.split(line, comments=True)
        if words[:4] == ["m2n2", "evolve", "--preset", "embedded"] and "--out" in words:
            done = bred(m2n2, words)
        elif words[0] == "m2n2":  # in this process: torch is loaded once
            done = m2n2(*words[1:])
        else:
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(
    "page", [one for page in ENGLISH for one in (page, japanese(page))], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text("utf-8")):
        if not link.startswith(("http://", "https://", "#", "mailto:")):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md", "docs/architecture.ja.md"])
def test_files_that_are_named_to_developers_are_there(name):
    named = re.findall(r"`((?:studio|eval|pipelines|benchmarks|tests)/[\w/.]+)`", (ROOT / name).read_text("utf-8"))
    assert len(named) >= 10
    assert [place for place in named if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_readme_is_short(name):
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= 150


@functools.cache
def constants():
    """Every constant piece of text in the program, pieces of one expression joined by a mark that no message holds."""
    found = []
    for package in OTHERS:
        for path in modules(package):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    found += [path.read_text("utf-8") for path in (ROOT / "studio" / "locales").glob("*.json")]
    return "\0".join([*found, (ROOT / "Makefile").read_text("utf-8")])


@pytest.mark.parametrize("name", ["troubleshooting.md", "troubleshooting.ja.md"])
def test_the_messages_that_are_explained_are_the_programs(name):
    rows = [re.findall(r"`([^`]+)`", cell) for cell in MESSAGE.findall((ROOT / "docs" / name).read_text("utf-8"))]
    quoted = [message for row in rows for message in row]
    assert len(rows) >= 35
    assert [message for message in quoted if message not in constants()] == []


def test_the_installed_command_is_the_one_the_pages_name():
    command = Path(sys.executable).with_name("m2n2")
    assert os.access(command, os.X_OK)
