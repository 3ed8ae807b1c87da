"""Which folders a page may be asked to read: what somebody types into it names no other file of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eval.scorers import names
from pipelines.checkpoints.source_uri import absolute_uri, hub_id, parse_terms
from studio.errors import RunError
from studio.i18n import phrase


@dataclass(frozen=True)
class OpenFolders:
    """The folders that were named when the studio was started; all below them may be read.

    Attributes:
        folders: as they were named.
        known: sources that are read wherever they lie: somebody gave them to the studio on the command line.
    """

    folders: tuple[Path, ...]
    known: frozenset[str] = frozenset()

    def holds(self, path: Path) -> bool:
        """Whether a path leads into one of the folders, wherever its links go, and not to a pipe or a device."""
        try:
            place = Path(os.path.expanduser(path)).resolve()
            inside = any(place.is_relative_to(folder.resolve()) for folder in self.folders)
            return inside and (not os.path.lexists(place) or _is_plain(place.stat().st_mode))
        except (OSError, ValueError, RuntimeError):  # a NUL, a loop of links, a home of nobody
            return False

    def path(self, named: str | Path) -> Path:
        """Return the path that somebody typed.

        Raises:
            RunError: it leads out of the folders; says which they are, and how to open another.
        """
        path = Path(named)
        if not self.holds(path):
            folders = ", ".join(dict.fromkeys(str(folder.resolve()) for folder in self.folders))
            shown = str(named).encode("utf-8", "replace").decode()
            raise RunError(phrase("closed_folder", path=shown, folders=folders))
        return Path(os.path.expanduser(path))

    def source(self, uri: str, relative_to: Path | None = None) -> str:
        """Return a source with whole paths; what the studio knows, and what lies on the hub, is open.

        Raises:
            SourceError: it is none that is understood.
            RunError: as `path`.
        """
        whole = absolute_uri(uri, relative_to)
        if whole in self.known:
            return whole
        base, loras = parse_terms(whole)
        for part in (base, *(lora for _, lora in loras)):
            if hub_id(part) is None:
                self.path(part)
        return whole

    def sources(self, uris: Iterable[str], relative_to: Path | None = None) -> list[str]:
        """Return sources with whole paths; raises as `source`."""
        return [self.source(uri, relative_to) for uri in uris]

    def scorer(self, name: str) -> str:
        """Return the name of a scorer.

        Raises:
            RunError: it names a folder, and as `path`.
        """
        try:
            folder = names.folder_in(name)
        except ValueError:  # half of a letter, in the home of somebody
            folder = Path(name)
        if folder is not None:
            self.path(folder)
        return name


def _is_plain(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
