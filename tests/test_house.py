"""The house's own rules: imports only point down, nothing heavy is imported for a help text."""

import ast
from pathlib import Path

import pytest

from tests.conftest import python

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {  # what each package may import of the others
    "pipelines": set(),
    "eval": {"pipelines.errors"},  # the root of the error tree, and nothing else
    "studio": {"pipelines", "eval", "assets"},
    "assets": {"pipelines", "eval"},
}


def imported(path):
    """Top-level packages and modules of ours that a file imports by absolute name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        yield from (name for name in names if name.split(".")[0] in FLOORS)


@pytest.mark.parametrize("package", FLOORS)
def test_imports_point_down(package):
    allowed = FLOORS[package] | {package}
    for path in (ROOT / package).rglob("*.py"):
        for name in imported(path):
            assert name in allowed or name.split(".")[0] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_evolution_is_pure():
    for path in (ROOT / "studio" / "evolution").glob("*.py"):
        for name in imported(path):
            assert name.startswith(("studio.evolution", "pipelines.errors")), f"{path.name} imports {name}"


def test_help_needs_no_torch():
    done = python("-c", "import studio.cli.app, sys; assert not {'torch', 'gradio'} & set(sys.modules), 'heavy'")
    assert done.returncode == 0, done.stderr
