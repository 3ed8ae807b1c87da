"""The rooms of the house, the floors they lie on, and who imports whom: `python -m tests.floors` prints them.

A room is a folder with modules in it. It may import rooms on the floors below, and none beside or above; `eval` and
`pipelines` are houses of their own under `studio`, which do not know each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STUDIO = (
    ("studio.reference_pages",),
    ("studio.cli",),
    ("studio.cli.studio",),
    ("studio.ui.server",),
    ("studio.ui.first_look",),
    tuple(
        f"studio.ui.{page}"
        for page in (
            "archive", "compare", "evolve", "export", "judge", "lightbox", "monitor", "new_run", "prompts", "run_list",
            "sources", "weak_spots",
        )
    ),
    ("studio.ui.picture_search",),
    ("studio.ui.common", "studio.networks"),
    ("studio.doctor", "studio.execution", "studio.monitoring", "studio.reports"),
    ("studio.cluster",),
    ("studio.workers",),
    ("studio.analysis", "studio.evaluation", "studio.exporting"),
    ("studio.breeding", "studio.conditions", "studio.judging", "studio.library", "studio.run_folders"),
    ("studio.runs", "studio.licences"),
    ("studio.access", "studio.evolution", "studio.inference_search", "studio.jobs"),
    ("studio",),
)  # fmt: skip
EVAL = (("eval.scorers",), ("eval.prompts", "eval.preferences"), ("eval",))
PIPELINES = (
    ("pipelines.interchange",),
    ("pipelines.exporting", "pipelines.generation"),
    ("pipelines.diagnosis", "pipelines.weaving"),
    ("pipelines.recipes",),
    ("pipelines.checkpoints",),
    ("pipelines.adapters",),
    ("pipelines.architectures",),
    ("pipelines.storage",),
    ("pipelines",),
)
BENCHMARKS = (
    ("benchmarks.cluster", "benchmarks.gpu"),
    (
        "benchmarks.any_network", "benchmarks.app", "benchmarks.digits", "benchmarks.full_size",
        "benchmarks.inference_search", "benchmarks.search",
    ),
    ("benchmarks",),
)  # fmt: skip
#: What a package may import of the others; of `pipelines`, eval takes the root of the error tree and the readers of
#: documents alone.
OTHERS = {
    "studio": {"eval", "pipelines", "assets"},
    "eval": {"pipelines.errors", "pipelines.untrusted"},
    "pipelines": set(),
    "assets": {"eval", "pipelines"},
    "benchmarks": {"studio", "eval", "pipelines", "assets"},
}
MOST_FILES, MOST_LINES = 15, 300


def modules(package: str) -> Iterator[Path]:
    """Every module of a package, `__init__` files too."""
    yield from sorted((ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room a module lies in: the folder it is a file of, or is."""
    return module if (ROOT / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]


def imports(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports, by dotted name, relative imports too; those of a function count."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if _is_ours(name) else base for name in inner]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OTHERS)


def arrows(package: str) -> dict[str, dict[str, set[str]]]:
    """Room to the rooms of the same package that it imports, each with the files that do."""
    found: dict[str, dict[str, set[str]]] = {}
    for path in modules(package):
        if path.parent == ROOT / package and path.name == "__main__.py":
            continue  # it runs the whole package, so it lies above every room
        here = room_of(module_name(path))
        rooms = found.setdefault(here, {})
        for name in imports(path):
            there = room_of(name)
            if there != here and name.split(".")[0] == package and name != package:
                rooms.setdefault(there, set()).add(path.name)
    return found


def _is_ours(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def main() -> None:
    """Print every floor with its rooms, their files and lines, and what they import."""
    for package, floors in (("studio", STUDIO), ("eval", EVAL), ("pipelines", PIPELINES), ("benchmarks", BENCHMARKS)):
        found = arrows(package)
        count = sum(len(rooms) for rooms in found.values())
        print(f"{package}: {sum(map(len, floors))} rooms on {len(floors)} floors, {count} imports between rooms")
        for number, floor in enumerate(floors):
            for room in floor:
                files = sorted((ROOT / room.replace(".", "/")).glob("*.py"))
                longest = max(len(file.read_text("utf-8").splitlines()) for file in files)
                below = ", ".join(sorted(name.removeprefix(f"{package}.") for name in found.get(room, {})))
                size = f"{len(files):2} files, longest {longest:3}"
                print(f"  {len(floors) - number:2}  {room:24} {size}   {below or '-'}")


if __name__ == "__main__":
    main()
