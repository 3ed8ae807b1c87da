"""What the pages share: the studio behind them, the frame around them, and errors that turn into messages."""

from __future__ import annotations

import atexit
import collections
import functools
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar
from urllib.parse import urlencode

import gradio as gr
import numpy as np
from markupsafe import Markup
from PIL import Image

from eval.scorers.clip import ClipScorer
from pipelines.errors import M2N2Error
from pipelines.generation.live_pipeline import best_device
from studio.errors import RunError
from studio.evaluation.preview import Previewer
from studio.formatting import score
from studio.i18n import LANGUAGES, Lang, t
from studio.png_metadata import png
from studio.runs.individual import Individual, Kind
from studio.runs.kind import is_any
from studio.runs.store import RunStore, open_run
from studio.ui.judge.blind_pair import Blind

# The first one is a language's start page.
PAGES = ("evolve", "sources", "archive", "compare", "judge", "weak", "export", "monitor", "prompts")
TOUR = ("evolve", "archive", "compare", "export")  # pages that a first visit leads through
DRAWN_KEPT = 400  # pictures drawn for the Compare page that are kept in memory, newest last

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Recent(Generic[T]):
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
        """A kept value."""
        return self._kept.get(name)


class Drawn:
    """Pictures drawn for a page and no run: PNG bytes by content hash, the oldest forgotten."""

    def __init__(self) -> None:
        self._kept: Recent[bytes] = Recent(DRAWN_KEPT)

    def keep(self, image: Image.Image, data: Mapping[str, Any]) -> str:
        """Keep a picture with how it was made; returns the address it is served at."""
        content = png(image, data)
        name = hashlib.sha256(content).hexdigest()
        self._kept.keep(name, content)
        return f"/pictures/drawn/{name}.png"

    def get(self, name: str) -> bytes | None:
        """A kept picture's bytes."""
        return self._kept.get(name)

    def at(self, address: str) -> bytes | None:
        """The bytes of the picture that `keep` gave this address."""
        return self.get(address.rsplit("/", 1)[-1].removesuffix(".png"))


@dataclass(frozen=True)
class Judged:
    """What the scorer made of a picture: how well it fits its caption, and what it saw; and where it is served."""

    score: float
    features: np.ndarray
    address: str


@dataclass(frozen=True)
class Studio:
    """What every page works with: where runs and exports lie, one live pipeline, the scorers in use."""

    runs: Path
    previewer: Previewer = field(default_factory=Previewer)
    drawn: Drawn = field(default_factory=Drawn)
    judged: Recent[Judged] = field(default_factory=lambda: Recent(2 * DRAWN_KEPT))
    blind: Blind = field(default_factory=Blind)

    @property
    def exports(self) -> Path:
        """Where exports are written: beside the runs."""
        return self.runs.parent / "exports"

    @property
    def prompts(self) -> Path:
        """Where prompt sets of one's own lie: beside the runs."""
        return self.runs.parent / "prompts"

    def names(self) -> list[str]:
        """The runs with pictures to show, newest first; those of other networks are left to the command line."""
        found = (file.parent for file in self.runs.glob("*/run.db") if (file.parent / "run.yaml").is_file())
        folders = (folder for folder in found if not is_any(folder))
        return [folder.name for folder in sorted(folders, key=lambda f: (f / "run.yaml").stat().st_mtime, reverse=True)]

    @contextmanager
    def run(self, name: str | None) -> Iterator[RunStore]:
        """Open a run by its name; only a name that is listed reaches the disk.

        Raises:
            RunError: there is no run of that name.
        """
        if name not in self.names():
            raise RunError(
                f"There is no run called {name!r}. Expected one of: {', '.join(self.names()) or 'none yet'}."
            )
        store = open_run(self.runs / name)
        try:
            yield store
        finally:
            store.close()

    @functools.lru_cache(maxsize=2)  # noqa: B019  (one studio per process)
    def scorer(self, name: str) -> ClipScorer:
        """The scorer a run uses, loaded once."""
        return ClipScorer(name, device=str(best_device()), parked=True)  # an idle page holds no accelerator


def guarded(lang: Lang, handler: Callable[P, R]) -> Callable[P, R]:
    """A handler whose errors become messages on the page; the form stays as it was."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except M2N2Error as error:
            # The head of Gradio's message is always "Error"; the message itself is HTML.
            said = Markup("<b>{}</b><br>{}").format(t(lang, "error_title"), str(error))
            raise gr.Error(said, duration=15, print_exception=False) from error

    return wrapped


def listen(
    trigger: Callable[..., Any],
    lang: Lang,
    handler: Callable[..., Any],
    inputs: Any = None,
    outputs: Any = None,
    **more: Any,
) -> Any:
    """Wire a handler to an event: guarded, and no public endpoint."""
    return trigger(guarded(lang, handler), inputs, outputs, api_visibility="private", **more)


def head(lang: Lang, page: str) -> None:
    """The top of a page: its name in the navigation, the switch to the other language, the tour of a first visit."""
    gr.Navbar(main_page_name=t(lang, "page_evolve"))
    others = [other for other in LANGUAGES if other != lang]
    links = Markup("").join(
        Markup('<a class="language" href="/language/{0}/{1}" lang="{0}" hreflang="{0}">{2}</a>').format(
            other, page, t(other, "language_name")
        )
        for other in others
    )
    gr.HTML(
        Markup('<header class="studio-head"><h1>m2n2-studio</h1><span>{}</span>{}</header>{}').format(
            t(lang, "tagline"), links, _tour(lang, page)
        ),
        elem_classes="studio-top",
    )


def _tour(lang: Lang, page: str) -> Markup:
    """The way of a first visit, on the pages it leads through; it stays until somebody closes it."""
    if page not in TOUR:
        return Markup("")
    steps = Markup("").join(
        Markup('<li{}><a href="{}">{}</a></li>').format(
            Markup(' aria-current="step"') if step == page else "", page_link(lang, step), t(lang, f"page_{step}")
        )
        for step in TOUR
    )
    return Markup(
        '<nav class="tour" aria-label="{0}"><b>{0}</b><ol>{1}</ol><span>{2}</span>'
        '<button type="button" class="tour-close" aria-label="{3}">×</button></nav>'
    ).format(t(lang, "tour"), steps, t(lang, f"tour_{page}"), t(lang, "tour_close"))


def page_link(lang: Lang, page: str, **query: str) -> str:
    """The address of a page, with what it should show."""
    path = f"/{lang}/" if page == PAGES[0] else f"/{lang}/{page}"
    return f"{path}?{urlencode(query)}" if query else path


def addressed(chosen: gr.Dropdown, key: str = "run") -> None:
    """Let the page's address name what is chosen, for whoever copies it or changes the language."""
    chosen.change(None, chosen, None, js=f"(value) => studioShows('{key}', value)")


def asked(request: gr.Request | None, key: str) -> str | None:
    """A value of the page's address."""
    return request.query_params.get(key) if request else None


def asked_all(request: gr.Request | None, key: str) -> list[str]:
    """All values of the page's address under a key: repeated, with commas between, or both."""
    values = request.query_params.getlist(key) if request else []
    return list(dict.fromkeys(part for value in values for part in value.split(",") if part))


def individual_label(lang: Lang, individual: Individual) -> str:
    """An individual in a list: its id, whether it is a source, and its Japanese score."""
    mean = individual.mean("ja")
    kind = f" ({t(lang, 'source')})" if individual.is_source else ""
    return f"{individual.id}{kind} · {t(lang, 'ja_short')} {score(mean)}"


def choices(lang: Lang, store: RunStore) -> list[tuple[str, str]]:
    """The individuals that can be chosen on a page, (label, id): offspring alive, the best first, then the sources."""
    usable = [one for one in store.individuals() if one.alive or one.is_source]
    usable.sort(key=lambda one: (one.is_source, -(one.mean("ja") or 0.0)))
    return [(individual_label(lang, one), one.id) for one in usable]


def best_source(everyone: list[Individual], kind: Kind = "ja") -> Individual | None:
    """The source with the best mean."""
    sources = [one for one in everyone if one.is_source and one.mean(kind) is not None]
    return max(sources, key=lambda one: one.mean(kind) or 0.0, default=None)


def download_folder() -> Path:
    """A new empty folder for what a page offers to download, where Gradio may read it; gone when the studio ends."""
    return Path(tempfile.mkdtemp(dir=_downloads()))


@functools.cache
def _downloads() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="m2n2-downloads-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def gigabytes(number: float) -> str:
    """Bytes as people read them."""
    if number < 1e5:
        return f"{number / 1e3:.0f} kB"
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
