"""What is installed: every version in one file, every file of it known by its hash, nothing built while installing."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from studio.reference_pages.dependencies import pins

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.txt", "requirements-dev.txt", "requirements-supply.txt"]
ROWS = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+?)(?: ; [^\\]+)? \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE
)


def locked(name):
    """Version and hashes of every package in a requirements file."""
    rows = ROWS.findall((ROOT / name).read_text("utf-8"))
    return {canonicalize_name(package): (version, hashes.split()) for package, version, hashes in rows}


def wanted(*extras):
    """Names of the packages that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return {canonicalize_name(Requirement(line).name) for line in lines}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_a_version_with_its_hashes(name):
    text = (ROOT / name).read_text("utf-8")
    assert len(locked(name)) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 30
    assert all(
        re.fullmatch(r"(--hash=sha256:[0-9a-f]{64}|\\)", word) for _, words in locked(name).values() for word in words
    )


@pytest.mark.parametrize("name", LOCKS[:2])
def test_a_lock_has_the_versions_of_the_constraints(name):
    constraints = dict(
        re.findall(r"^([A-Za-z0-9._-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    )
    pinned = {canonicalize_name(package): version for package, version in constraints.items()}
    differ = {package: version for package, (version, _) in locked(name).items() if pinned.get(package) != version}
    assert not differ, "run `make lock`, or pin what is new in constraints.txt"


def test_the_studio_is_installed_without_what_only_developers_need():
    run, develop = locked("requirements.txt").keys(), locked("requirements-dev.txt").keys()
    assert wanted() <= run
    assert run < develop
    assert wanted("dev", "bench") <= develop
    assert not {"pytest", "mypy", "ruff", "hypothesis", "playwright", "sd-mecha"} & run


def test_make_installs_by_hash_and_builds_nothing():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    installs = re.findall(r"pip install [^\n]*", makefile)
    assert len(installs) == 2
    for line in installs:
        assert ("--require-hashes" in line and "--only-binary :all:" in line) or line.endswith(
            "--no-deps --no-build-isolation -e ."
        )


def test_every_package_says_its_licence_on_the_page_of_dependencies():
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    for name, version, _ in pins():
        (licence,) = re.findall(
            rf"^\| `{re.escape(name)}` \| {re.escape(version)} \| [^|]+ \| (.+) \|$", page, re.MULTILINE
        )
        assert licence != "—", f"{name} says no licence; look it up and write it into both pages"
    assert len(pins()) > 100
