"""Names of picture files, from ids that come out of somebody's prompt set or recipe.

An id is data: it may hold separators, be as long as a page, or differ from another by a capital alone. An ordinary one
is its file's name as it is, so that people find their pictures; any other one is replaced by a digest.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

LONGEST = 200  # bytes of a stem in UTF-8; a file's name may have 255, and language, noise and ending follow
_DIGEST = "~"  # begins what stands for an id, so no ordinary id may begin so
_SEPARATING = re.compile(r'[/\\:*?"<>|]')  # on some system


def picture_stem(id: str) -> str:
    """What the names of a prompt's pictures begin with.

    No two ids have the same one, not even where a file system takes capitals for small letters or knows several
    spellings of a letter; it is one component of a path, of LONGEST bytes at most.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", id).upper().casefold())
    hidden = any(unicodedata.category(letter)[0] == "C" for letter in id)
    ordinary = folded == id and not hidden and not _SEPARATING.search(id) and not id.startswith(".")
    return id if ordinary and _is_component(id) else _digest(id)


def safe_component(name: str) -> str:
    """A name that somebody gave as one component of a path: itself where it is one, else what stands for it."""
    return name if _is_component(name) else _digest(name)


def image_folder(run: Path, individual: str) -> Path:
    """Where a run keeps an individual's pictures."""
    return run / "images" / safe_component(individual)


def picture_file(folder: Path, id: str, ending: str) -> Path:
    """Where a prompt's picture lies in a folder: as it is named now, or as it was named when it was written.

    Args:
        folder: of pictures.
        id: the prompt's.
        ending: the rest of the name.
    """
    file, plain = folder / f"{picture_stem(id)}{ending}", f"{id}{ending}"
    if file.name == plain or id.startswith(_DIGEST) or file.exists() or not folder.is_dir():
        return file
    return folder / plain if plain in os.listdir(folder) else file  # what is listed is one component, in this case


def ids_by_stem(ids: Iterable[str]) -> dict[str, str]:
    """Which prompt a picture is of, by what its name begins with."""
    ids = list(ids)
    return {id: id for id in ids} | {picture_stem(id): id for id in ids}


def _is_component(name: str) -> bool:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    separated = any(letter in "/\\\0" for letter in name) or (os.name == "nt" and ":" in name)
    return 0 < size <= LONGEST and name not in (".", "..") and not separated and not name.startswith(_DIGEST)


def _digest(name: str) -> str:
    return _DIGEST + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:40]
