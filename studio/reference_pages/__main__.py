"""`python -m studio.reference_pages`: write the reference pages into `docs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.storage.files import write_whole
from studio.i18n import LANGUAGES, Lang

from . import command_line, dependencies, licences, run_file

PAGES: Mapping[str, Callable[[Lang], str]] = {
    "run-file": run_file.page,
    "command-line": command_line.page,
    "dependencies": dependencies.page,
    "licences": licences.page,
}


def pages() -> dict[str, str]:
    """Every page's text, by file name."""
    return {
        f"{name}.md" if lang == "en" else f"{name}.{lang}.md": page(lang)
        for name, page in PAGES.items()
        for lang in LANGUAGES
    }


def main() -> None:
    """Write the pages of this repository."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    for name, text in pages().items():
        write_whole(docs / name, text.encode())
        print(docs / name)


if __name__ == "__main__":
    main()
