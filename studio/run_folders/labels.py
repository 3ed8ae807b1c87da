"""What people call a run and say of it: a title, a note, tags. They lie in the run's folder, which keeps its name."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.storage.files import write_whole
from pipelines.untrusted import Limits, UnreadableDocument, read_json
from studio.errors import RunError

LABEL_FILE = "label.json"
LONGEST_TITLE, LONGEST_NOTE = 80, 300  # letters
MOST_TAGS, LONGEST_TAG = 12, 40  # letters of each
_LIMITS = Limits(bytes=64 << 10, depth=4, values=100)


@dataclass(frozen=True)
class RunLabel:
    """What a run is called and what is said of it, a line each; all of it may be empty."""

    title: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()


def shown_name(name: str, label: RunLabel) -> str:
    """Name a run in a list: by its title and its folder's name, or by that alone."""
    return f"{label.title} ({name})" if label.title and label.title != name else name


def checked_label(title: str, note: str, tags: str) -> RunLabel:
    """Make a label of what somebody typed.

    Args:
        title: one line.
        note: one line.
        tags: words, between commas.

    Raises:
        RunError: one of them is too long, or there are too many tags.
    """
    words = tuple(dict.fromkeys(filter(None, map(_one_line, tags.replace("、", ",").split(",")))))
    label = RunLabel(_one_line(title), _one_line(note), words)
    if len(label.title) > LONGEST_TITLE:
        raise RunError(
            "The title has {letters} letters. Expected at most {most}.", letters=len(label.title), most=LONGEST_TITLE
        )
    if len(label.note) > LONGEST_NOTE:
        raise RunError(
            "The note has {letters} letters. Expected at most {most}.", letters=len(label.note), most=LONGEST_NOTE
        )
    if len(words) > MOST_TAGS or any(len(word) > LONGEST_TAG for word in words):
        raise RunError(
            "Expected at most {most} tags of {letters} letters each, found {found}, the longest of {longest}.",
            most=MOST_TAGS,
            letters=LONGEST_TAG,
            found=len(words),
            longest=max(map(len, words)),
        )
    return label


def write_label(folder: Path, label: RunLabel) -> None:
    """Put a label on the run in a folder, in place of what was there."""
    content = {"version": 1, "title": label.title, "note": label.note, "tags": list(label.tags)}
    write_whole(folder / LABEL_FILE, json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))


def read_label(folder: Path) -> RunLabel:
    """Read the label of the run in a folder: an empty one where nobody gave any, or where it was damaged.

    An unchanged file is read once.
    """
    file = folder / LABEL_FILE
    try:
        facts = file.stat()
        return _label(file, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    except (OSError, UnreadableDocument):
        return RunLabel()


@functools.lru_cache(maxsize=4096)  # pages ask this of every run, again and again
def _label(file: Path, changed: int, size: int, inode: int) -> RunLabel:
    """The label in a file as it stands: `changed`, in nanoseconds, `size` and `inode` tell one state from another."""
    content = read_json(file, _LIMITS)
    if not isinstance(content, dict):
        return RunLabel()
    tags = content.get("tags")
    words = map(_text, tags) if isinstance(tags, list) else ()
    return RunLabel(
        _text(content.get("title"))[:LONGEST_TITLE],
        _text(content.get("note"))[:LONGEST_NOTE],
        tuple(word[:LONGEST_TAG] for word in words if word)[:MOST_TAGS],
    )


def _text(value: Any) -> str:
    return _one_line(value) if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
