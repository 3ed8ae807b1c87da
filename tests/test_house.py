"""The house's own rules: imports only point down, rooms stay small, nothing heavy is imported for a help text."""

import ast
import re

import pytest

from tests.conftest import python
from tests.floors import (
    BENCHMARKS,
    EVAL,
    MOST_FILES,
    MOST_LINES,
    OTHERS,
    PIPELINES,
    ROOT,
    STUDIO,
    arrows,
    imports,
    module_name,
    modules,
    room_of,
)

HOUSES = {"studio": STUDIO, "eval": EVAL, "pipelines": PIPELINES, "benchmarks": BENCHMARKS}


def test_a_relative_import_is_an_import_too(tmp_path, monkeypatch):
    (tmp_path / "studio" / "runs").mkdir(parents=True)
    (tmp_path / "studio" / "errors.py").touch()
    path = tmp_path / "studio" / "runs" / "store.py"
    path.write_text("from ..errors import RunError\nfrom . import store\nimport studio.errors\n")
    monkeypatch.setattr("tests.floors.ROOT", tmp_path)
    assert list(imports(path)) == ["studio.errors", "studio.runs.store", "studio.errors"]


@pytest.mark.parametrize("package", HOUSES)
def test_every_room_has_a_floor_and_a_docstring(package):
    rooms = {room_of(module_name(path)) for path in modules(package)}
    assert rooms == {room for floor in HOUSES[package] for room in floor} | ({"studio.ui", package} & rooms)
    for room in rooms:
        first = ast.get_docstring(ast.parse((ROOT / room.replace(".", "/") / "__init__.py").read_text("utf-8")))
        assert first, room
        assert len(first.splitlines()) > 1, f"{room}: expected what it is, what it may import and how to read it"


@pytest.mark.parametrize("package", HOUSES)
def test_imports_between_rooms_point_down(package):
    floor = {room: number for number, rooms in enumerate(reversed(HOUSES[package])) for room in rooms}
    for room, below in arrows(package).items():
        for other, files in below.items():
            assert floor[other] < floor[room], f"{room} imports {other} in {', '.join(sorted(files))}"


@pytest.mark.parametrize("package", OTHERS)
def test_packages_import_what_lies_below(package):
    allowed = OTHERS[package] | {package}
    for path in modules(package):
        for name in imports(path):
            assert name in allowed or name.split(".")[0] in allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(
    ("room", "allowed"), [("evolution", "pipelines.errors"), ("inference_search", "pipelines.generation.settings")]
)
def test_searches_are_pure(room, allowed):
    for path in (ROOT / "studio" / room).glob("*.py"):
        for name in imports(path):
            assert name.startswith((f"studio.{room}", allowed)), f"{path.name} imports {name}"


@pytest.mark.parametrize("package", HOUSES)
def test_rooms_and_modules_stay_small(package):
    for path in modules(package):
        assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES, path.relative_to(ROOT)
        assert len(list(path.parent.glob("*.py"))) <= MOST_FILES, path.parent.relative_to(ROOT)


def test_help_needs_no_torch():
    done = python("-c", "import studio.cli.app, sys; assert not {'torch', 'gradio'} & set(sys.modules), 'heavy'")
    assert done.returncode == 0, done.stderr


NAMED = re.compile(r"\b(?:from|import) ((?:studio|pipelines|eval|benchmarks)(?:\.\w+)+)")


def test_modules_named_in_strings_exist():
    """Programs that tests and commands run in processes of their own are strings, which no linter reads."""
    for package in ("tests", *HOUSES):
        for path in modules(package):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for name in NAMED.findall(node.value):
                        place = ROOT / name.replace(".", "/")
                        assert place.is_dir() or place.with_suffix(".py").is_file(), f"{path.name}: {name}"


#: Objects of other people's libraries that are set up by their attributes, by file.
SET_FROM_OUTSIDE = {
    "studio/evolution/search.py": {"search._in_flight"},  # its own
    "studio/evolution/generators.py": {"bits.state"},  # numpy's
    "studio/runs/store.py": {"row.alive", "row.scores"},  # SQLAlchemy's rows
    "pipelines/generation/build.py": {"parameter.data"},  # torch's parameter
    "pipelines/generation/prediction_probe.py": {"parameter.data"},  # the same
    "pipelines/generation/devices.py": {
        "vae.use_slicing", "vae.use_tiling", "vae.tile_sample_min_size", "vae.tile_latent_min_size",
    },  # diffusers' VAE
    "pipelines/generation/live_pipeline.py": {"self._pipeline.scheduler"},  # diffusers' pipeline
    "pipelines/recipes/gram.py": {"scratch.single", "scratch.exact", "scratch.stored"},  # threading.local
    "studio/ui/server/app.py": {
        "mounted.state_holder", "Context.root_block", "queue.sleep_when_free", "queue.progress_update_sleep_when_free",
    },  # Gradio's application, context and queue
    "studio/cluster/connection.py": {"ray._private.worker._worker_logs_enabled"},  # Ray's switch
    "benchmarks/app/pages.py": {"server.should_exit"},  # uvicorn's server
}  # fmt: skip


def set_attributes(tree):
    """Attributes that are set or deleted of anything but `self` and `cls`, as they are written."""
    for node in ast.walk(tree):
        targets = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
            yield ast.unparse(node)
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                if isinstance(part, ast.Attribute) and not (
                    isinstance(part.value, ast.Name) and part.value.id in ("self", "cls")
                ):
                    yield ast.unparse(part)


@pytest.mark.parametrize("package", HOUSES)
def test_no_attribute_is_set_from_outside(package):
    """Arguments, not remote control: what an object does depends on what it was made with and what it is asked."""
    for path in modules(package):
        place = path.relative_to(ROOT).as_posix()
        found = set(set_attributes(ast.parse(path.read_text("utf-8"))))
        assert found <= SET_FROM_OUTSIDE.get(place, set()), place


def test_setting_an_attribute_from_outside_is_seen():
    text = "self.a = 1\nb.a, c = 1, 2\ndel d.scorer\ne.f.g += 1\nsetattr(h, 'i', 2)\nj: int = 3\nk.l: int = 4\n"
    assert sorted(set_attributes(ast.parse(text))) == ["b.a", "d.scorer", "e.f.g", "k.l", "setattr(h, 'i', 2)"]
