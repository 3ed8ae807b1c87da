"""What a scorer's name says by itself, without opening anything; the names are described in `model_files`."""

import os
from pathlib import Path

FOLDER = "local-dir:"
REPOSITORY = "hf-hub:"
_BESIDE = "@"  # before the folder with the files of a model that open_clip knows


def of_folder(folder: Path | str) -> str:
    """The name of the scorer in a folder."""
    return f"{FOLDER}{folder}"


def folder_in(name: str) -> Path | None:
    """The folder that a name names; None where there is none in it."""
    if name.startswith(FOLDER):
        return Path(os.path.expanduser(name.removeprefix(FOLDER)))
    _, found, folder = name.partition(_BESIDE)
    return Path(os.path.expanduser(folder)) if found else None


def placed(name: str, here: Path) -> str:
    """The same name, to be understood from anywhere: a folder in it is relative to `here`."""
    folder = folder_in(name)
    if folder is None:
        return name
    before = FOLDER if name.startswith(FOLDER) else name.partition(_BESIDE)[0] + _BESIDE
    return f"{before}{here / folder}"


def portable(name: str) -> str:
    """The name as it may leave this machine: of a folder only what it is called, of a model none."""
    if name.startswith(FOLDER):
        return of_folder(Path(name.removeprefix(FOLDER)).name)
    return name.partition(_BESIDE)[0]


def label(name: str) -> str:
    """What a scorer is called on a page."""
    return portable(name).removeprefix(FOLDER)
