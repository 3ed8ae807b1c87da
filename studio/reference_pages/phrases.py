"""The pages' sentences in both languages, and Markdown.

English is written where it is used: in the models, in the commands, in this room. Its Japanese is found by the English
sentence in `japanese.json`, so that a sentence cannot change in one language alone.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from studio.i18n import Lang

JAPANESE = Path(__file__).resolve().parent / "japanese.json"
NONE = "—"  # in a cell that has nothing to say


@functools.cache
def japanese() -> dict[str, str]:
    """Every sentence's Japanese, by its English."""
    content: dict[str, str] = json.loads(JAPANESE.read_text("utf-8"))
    return content


def say(lang: Lang, english: str, **values: object) -> str:
    """A sentence with its `{placeholders}` filled in; KeyError where its Japanese is not written yet."""
    phrase = english if lang == "en" else japanese()[english]
    return phrase.format(**values) if values else phrase


def beside(lang: Lang, name: str) -> str:
    """The file name of a page in `docs`, in the language of the page that links to it."""
    return f"{name}.md" if lang == "en" else f"{name}.{lang}.md"


def code(text: str) -> str:
    """Text as it is typed."""
    return f"`{text}`"


def fenced(text: str, language: str) -> str:
    """Lines as they are typed."""
    return f"```{language}\n{text.strip()}\n```"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def joined(blocks: Iterable[str]) -> str:
    """A page of its blocks, with a line between two of them."""
    return "\n\n".join(blocks) + "\n"


def made_from_the_program(name: str, lang: Lang) -> str:
    """The head of a page: where it comes from, and where it stands in the other language."""
    other: Lang = "ja" if lang == "en" else "en"
    link = f"[{'日本語' if other == 'ja' else 'English'}]({beside(other, name)})"
    return f"<!-- Written by `make docs`; change it where the program says it. -->\n\n{link}"
