"""The prompt sets a studio knows: those that come with it, which nobody changes, and one's own, in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import assets
from eval.errors import PromptSetError
from eval.prompts.editing import PromptRow
from eval.prompts.prompt_set import PromptSet, to_yaml
from pipelines.storage.files import write_whole

SHIPPED = {"embedded-evolve": assets.EVOLVE, "embedded-held-out": assets.HELD_OUT}
_NAME = re.compile(r"[\w][\w .-]{0,79}")  # one file's name: letters of any script, digits, no separators


def prompt_sets(folder: Path) -> dict[str, Path]:
    """List the files of all sets by name, the shipped ones first, then one's own by name."""
    return SHIPPED | {file.stem: file for file in sorted(folder.glob("*.yaml")) if file.stem not in SHIPPED}


def prompt_set_path(folder: Path, name: str) -> Path:
    """Return where a set of one's own is saved.

    Raises:
        PromptSetError: the name cannot be a file's, or is that of a shipped set.
    """
    name = name.strip().removesuffix(".yaml")
    if not _NAME.fullmatch(name) or len(name.encode()) > 200:
        raise PromptSetError(
            "the name {name!r} cannot be a file's; expected letters, digits, spaces, dots and dashes, at most 80, the "
            "first a letter or a digit",
            name=name,
        )
    if name in SHIPPED:
        raise PromptSetError(
            "the set {name!r} comes with the studio and is not changed; save it under another name", name=name
        )
    return folder / f"{name}.yaml"


def save_prompt_set(path: Path, prompts: PromptSet, *, overwrite: bool = False) -> Path:
    """Write a set, whole or not at all.

    Raises:
        PromptSetError: a file of that name exists and was not to be overwritten.
    """
    check_free(path, overwrite=overwrite)
    write_whole(path, to_yaml(prompts).encode())
    return path


def check_free(path: Path, *, overwrite: bool = False) -> None:
    """Refuse to write over a file that was not to be overwritten.

    Raises:
        PromptSetError: it exists.
    """
    if path.exists() and not overwrite:
        raise PromptSetError("{path} exists already; choose another name, or ask to overwrite it", path=path)


def rebase_references(rows: Sequence[PromptRow], source: Path, target: Path) -> list[PromptRow]:
    """Name the reference pictures of rows, which are relative to one folder, relative to another."""
    if source == target:
        return list(rows)
    return [
        replace(row, reference=Path(os.path.relpath(source / row.reference, target)).as_posix())
        if row.reference and not Path(row.reference).is_absolute()
        else row
        for row in rows
    ]
