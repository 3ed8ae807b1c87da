"""The sources a studio knows: the embedded family, those of its runs, and those that somebody added.

What was added is remembered in `sources.yaml` in the folder of the runs, as people would write it:

    format: m2n2-sources
    version: 1
    sources: [/models/anime.safetensors, owner/name, /models/photo + 0.8 * /loras/ink.safetensors]
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import yaml

import assets
from pipelines.checkpoints.source_expression import parse_source
from pipelines.checkpoints.source_uri import absolute_uri, default_name, open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.errors import M2N2Error, unreadable
from pipelines.storage.files import newest_first, write_whole
from pipelines.untrusted import UnreadableDocument, read_yaml
from studio.errors import RunError

SOURCES_FILE = "sources.yaml"
FORMAT, VERSION = "m2n2-sources", 1


@dataclass(frozen=True)
class KnownSource:
    """A source that the studio knows by what a person would write for it; `runs` are those it took part in."""

    uri: str
    runs: tuple[str, ...] = ()
    added: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return default_name(self.uri)

    @property
    def key(self) -> str:
        """A short name without any path in it, for addresses."""
        return hashlib.sha256(self.uri.encode()).hexdigest()[:16]


def preview_files(uri: str) -> list[Path]:
    """List the pictures that lie beside a checkpoint; none where adapters are on it, for those are not its pictures.

    Raises:
        SourceError: `uri` is no source that is understood.
    """
    written = parse_source(uri)
    return [] if written.adapters else sorted((Path(written.base) / "previews").glob("*.png"))


def known_sources(runs: Path) -> list[KnownSource]:
    """List every source the studio knows: the embedded ones, those added, those of its runs, the newest first."""
    runs_by_uri: dict[str, list[str]] = {}
    for file in newest_first(runs.glob("*/run.yaml")):
        for uri in _sources_of(file, file.stat().st_mtime_ns if file.exists() else 0):
            runs_by_uri.setdefault(uri, []).append(file.parent.name)
    added = added_sources(runs)
    uris = dict.fromkeys([*map(str, assets.sources()), *added, *runs_by_uri])
    return [KnownSource(uri, tuple(runs_by_uri.get(uri, ())), uri in added) for uri in uris]


def added_sources(runs: Path) -> list[str]:
    """Read the sources that somebody added, the newest last.

    Raises:
        RunError: their file cannot be read.
    """
    path = runs / SOURCES_FILE
    if not path.is_file():
        return []
    try:
        content = read_yaml(path)
    except (OSError, UnreadableDocument) as error:
        raise RunError(
            "{path} cannot be read ({reason}). Expected a list of sources; mend or remove it.",
            path=path,
            reason=unreadable(error),
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("sources"), list):
        raise RunError(
            "{path} is no list of sources. Expected `format: {format}` and `sources:`; mend or remove it.",
            path=path,
            format=FORMAT,
        )
    if content.get("version") != VERSION:
        raise RunError(
            "{path} has version {version!r}; this program reads version {expected}: update m2n2-studio.",
            path=path,
            version=content.get("version"),
            expected=VERSION,
        )
    return [str(uri) for uri in content["sources"]]


def add_source(runs: Path, uri: str, *, relative_to: Path | None = None) -> str:
    """Remember a source; returns it as it is remembered, with whole paths.

    Raises:
        SourceError: it cannot be read as a source.
        RunError: the file of those added cannot be read.
    """
    text = absolute_uri(uri, relative_to)
    _change(runs, lambda uris: list(dict.fromkeys([*uris, text])))
    return text


def forget_source(runs: Path, uri: str) -> None:
    """Forget a source that was added; its files stay where they are."""
    _change(runs, lambda uris: [one for one in uris if one != uri])


def hash_source(source: Source, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Hash each component, after reading and checking every byte that was not read before.

    Args:
        source: an opened source.
        progress: called with (bytes done, bytes in all); may raise to stop.

    Raises:
        SourceError: weights that are not finite.
    """
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(done, source.size)

    return {name: part.compute_sha256(tell) for name, part in source.components.items()}


def open_known_source(runs: Path, key: str) -> Source:
    """Open a known source by its key.

    Raises:
        M2N2Error: none has that key, or it cannot be opened any more.
    """
    for source in known_sources(runs):
        if source.key == key:
            return open_source_uri(source.uri)
    raise RunError(
        "The studio knows no source {key!r}. Expected one of those on the page of sources; load it again.", key=key
    )


def _change(runs: Path, edit: Callable[[list[str]], list[str]]) -> None:
    runs.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(runs / ".sources.lock"):
        content = {"format": FORMAT, "version": VERSION, "sources": edit(added_sources(runs))}
        write_whole(runs / SOURCES_FILE, yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode())


@functools.lru_cache(maxsize=1024)
def _sources_of(file: Path, _changed: int) -> tuple[str, ...]:
    """The sources of a run's file, with whole paths; none where it cannot be read or breeds other networks."""
    try:
        content: Any = read_yaml(file)
        if not isinstance(content, dict) or content.get("kind") == "any":
            return ()
        named = content.get("sources")
        return tuple(absolute_uri(str(uri), file.resolve().parent) for uri in named) if isinstance(named, list) else ()
    except (OSError, UnreadableDocument, M2N2Error):
        return ()  # the pages of runs say what is wrong with one
