"""What the pages share: the studio behind them, the frame around them, and errors that turn into messages."""

from __future__ import annotations

import atexit
import collections
import contextlib
import functools
import hashlib
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image

import assets
from eval.scorers.scorer import FeatureScorer
from pipelines.errors import Phrase
from studio.errors import RunError
from studio.evaluation.open_scorer import open_scorer
from studio.evaluation.preview import Previewer
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.library import source_library
from studio.png_metadata import png_bytes
from studio.run_folders.labels import read_label, shown_name
from studio.run_folders.listing import UnreadableRun, list_runs
from studio.runs.individual import Individual
from studio.runs.status import is_carried
from studio.runs.store import RunStore, open_run

from .open_folders import OpenFolders

DRAWN_KEPT = 400  # pictures drawn for the Compare page that are kept in memory, newest last
DOWNLOADS_LAST = 7200  # seconds that a download, or an upload, lies in the temporary folder
BLIND_KEPT = 64  # pictures of open questions kept in memory: those of the 32 raters who were asked last

T = TypeVar("T")


class RecentValues(Generic[T]):
    """The newest values by name; the oldest are forgotten."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: collections.OrderedDict[str, T] = collections.OrderedDict()
        self._lock = threading.Lock()

    def keep(self, name: str, value: T) -> None:
        """Keep a value."""
        with self._lock:
            self._kept[name] = value
            self._kept.move_to_end(name)
            while len(self._kept) > self.limit:
                self._kept.popitem(last=False)

    def get(self, name: str) -> T | None:
        """Return a kept value; `None` where it is forgotten."""
        return self._kept.get(name)


class DrawnPictures:
    """Pictures drawn for a page and no run: PNG bytes by content hash, the oldest forgotten."""

    def __init__(self) -> None:
        self._kept: RecentValues[bytes] = RecentValues(DRAWN_KEPT)

    def keep(self, image: Image.Image, data: Mapping[str, Any]) -> str:
        """Keep a picture with how it was made; returns the address it is served at."""
        content = png_bytes(image, data)
        name = hashlib.sha256(content).hexdigest()
        self._kept.keep(name, content)
        return f"/pictures/drawn/{name}.png"

    def get(self, name: str) -> bytes | None:
        """Return a kept picture's bytes; `None` where it is forgotten."""
        return self._kept.get(name)

    def at(self, address: str) -> bytes | None:
        """Return the bytes of the picture that `keep` gave this address."""
        return self.get(address.rsplit("/", 1)[-1].removesuffix(".png"))


class BlindPictures:
    """Pictures of open questions, as PNG bytes by a random token; an answered one's are forgotten."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[str, bytes] = collections.OrderedDict()
        self._lock = threading.Lock()

    def keep(self, content: bytes) -> str:
        """Keep a picture; returns a token nobody can guess, another one each time."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._kept[token] = content
            while len(self._kept) > BLIND_KEPT:
                self._kept.popitem(last=False)
        return token

    def forget(self, tokens: tuple[str, ...]) -> None:
        """Forget the pictures of an answered question."""
        with self._lock:
            for token in tokens:
                self._kept.pop(token, None)

    def get(self, token: str) -> bytes | None:
        """Return a kept picture's bytes; `None` where it is forgotten."""
        return self._kept.get(token)


@dataclass(frozen=True)
class JudgedPicture:
    """A picture as the scorer judged it: its score, float32 features [d] that it was seen by, and its address."""

    score: float
    features: np.ndarray
    address: str


@dataclass(frozen=True)
class Studio:
    """What every page works with: where runs and exports lie, one live pipeline, the scorers in use."""

    runs: Path
    previewer: Previewer = field(default_factory=Previewer)
    drawn: DrawnPictures = field(default_factory=DrawnPictures)
    judged: RecentValues[JudgedPicture] = field(default_factory=lambda: RecentValues(2 * DRAWN_KEPT))
    blind: BlindPictures = field(default_factory=BlindPictures)
    allowed: tuple[Path, ...] = ()  # folders that `m2n2 studio --allow` opened

    @property
    def exports(self) -> Path:
        """Where exports are written: beside the runs."""
        return self.runs.parent / "exports"

    @property
    def prompts(self) -> Path:
        """Where prompt sets of one's own lie: beside the runs."""
        return self.runs.parent / "prompts"

    @property
    def open_folders(self) -> OpenFolders:
        """What pages may be asked to read: the studio's own folder, the working folder, and those that were allowed.

        Raises:
            RunError: the file of the sources that were added cannot be read.
        """
        return OpenFolders(self.readable, frozenset(one.uri for one in source_library.known_sources(self.runs)))

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders themselves, with that of the family that comes with the studio."""
        return self.runs.parent, Path.cwd(), assets.FAMILY.parent, *self.allowed

    def run_names(self) -> list[str]:
        """List the runs with pictures to show, newest first; those of other networks are left to the command line."""
        return list(list_runs(self.runs).names)

    def run_choices(self) -> list[tuple[str, str]]:
        """List the same as fields offer them, (label, name): what somebody called a run, and its folder's name."""
        return [(shown_name(name, read_label(self.runs / name)), name) for name in self.run_names()]

    def unreadable_runs(self) -> tuple[UnreadableRun, ...]:
        """List the runs that cannot be read, with the reason."""
        return list_runs(self.runs).unreadable

    @contextmanager
    def run(self, name: str | None) -> Iterator[RunStore]:
        """Open a run by its name; only a name that is listed reaches the disk.

        Raises:
            RunError: there is no run of that name, or it cannot be read.
        """
        listing = list_runs(self.runs)
        if name not in listing.names:
            if reason := listing.reason(name):
                raise RunError("{reason}", reason=reason)
            raise RunError(
                "There is no run called {name!r}. Expected one of: {names}.",
                name=name,
                names=", ".join(listing.names) or Phrase("none yet"),
            )
        store = open_run(self.runs / name)
        try:
            yield store
        finally:
            store.close()

    @functools.lru_cache(maxsize=2)  # noqa: B019  (one studio per process)
    def scorer(self, name: str) -> FeatureScorer:
        """The scorer a run uses, loaded once; parked for good, as an idle page holds no accelerator."""
        return open_scorer(name)


def individual_label(lang: Lang, individual: Individual) -> str:
    """Name an individual in a list: its id, whether it is a source, and its Japanese score."""
    mean = individual.mean("ja")
    kind = f" ({t(lang, 'source')})" if individual.is_source else ""
    return f"{individual.id}{kind} · {t(lang, 'ja_short')} {format_score(mean)}"


def individual_choices(lang: Lang, store: RunStore) -> list[tuple[str, str]]:
    """List the individuals to choose from, (label, id): offspring alive, the best first, then the sources."""
    usable = [one for one in store.individuals() if one.alive or one.is_source]
    usable.sort(key=lambda one: (one.is_source, -(one.mean("ja") or 0.0)))
    return [(individual_label(lang, one), one.id) for one in usable]


def download_folder() -> Path:
    """Make an empty folder for downloads, where Gradio may read them; gone in two hours, or when the studio ends."""
    for folder in _downloads().iterdir():
        with contextlib.suppress(OSError):  # another page may have been quicker
            if time.time() - folder.stat().st_mtime > DOWNLOADS_LAST:
                shutil.rmtree(folder)
    return Path(tempfile.mkdtemp(dir=_downloads()))


@functools.cache
def _downloads() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="m2n2-downloads-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def current_run(studio: Studio, asked_for: str | None) -> str | None:
    """Choose the run to show: the one asked for, else one that is going on, else the newest."""
    names = studio.run_names()
    if asked_for in names:
        return asked_for
    for name in names:
        if is_carried(studio.runs / name):
            return name
    return names[0] if names else None
