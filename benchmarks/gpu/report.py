"""The tables of a run, written anew after every part, so that a machine that goes away takes nothing along."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Cell = str | float | int


@dataclass
class Section:
    """One table with a title, and sentences under it."""

    title: str
    columns: Sequence[str] = ()
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Report:
    """Sections that are printed as they come and kept in a file, `.md` or `.json` by its name."""

    def __init__(self, path: Path | None, title: str) -> None:
        """Begin a report.

        Args:
            path: of the file; nothing is written if left out.
            title: what was measured, where and with what.
        """
        self._path = path
        self._title = title
        self._started = time.perf_counter()
        self.sections: list[Section] = []
        self.say(title)

    def say(self, text: str) -> None:
        """Print a line with the seconds since the beginning."""
        print(f"[{time.perf_counter() - self._started:6.1f}] {text}", flush=True)

    def begin(self, title: str, columns: Sequence[str]) -> None:
        """Begin a section; rows and notes go there from now on."""
        self.sections.append(Section(title, columns))
        self.say(f"-- {title}")

    def row(self, *cells: Cell) -> None:
        """Add a row to the section, and write the file."""
        section = self.sections[-1]
        section.rows.append(cells)
        self.say("; ".join(f"{name} {_text(cell)}" for name, cell in zip(section.columns, cells, strict=True)))
        self.flush()

    def note(self, text: str) -> None:
        """Add a sentence to the section, and write the file."""
        self.sections[-1].notes.append(text)
        self.say(text)
        self.flush()

    def flush(self) -> None:
        """Write the file."""
        if self._path is None:
            return
        if self._path.suffix == ".json":
            content = {"title": self._title, "sections": [asdict(section) for section in self.sections]}
            self._path.write_text(json.dumps(content, indent=1), "utf-8")
        else:
            self._path.write_text(self.markdown(), "utf-8")

    def markdown(self) -> str:
        """Return all sections as Markdown."""
        return "\n\n".join([f"# {self._title}", *map(_markdown, self.sections)]) + "\n"


def _markdown(section: Section) -> str:
    lines = [f"## {section.title}", ""]
    if section.rows:
        table = [section.columns, ["---"] * len(section.columns), *section.rows]
        lines += ["| " + " | ".join(map(_text, row)) + " |" for row in table] + [""]
    return "\n".join(lines + section.notes).rstrip()


def _text(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
