"""What somebody chose on the page, and the address that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from .cells import AS_RUN, MOST_PROMPTS, Quality

View = Literal["matrix", "playground", "blend"]
VIEWS: tuple[View, ...] = get_args(View)
Moved = Literal["both", "attention", "rest"]
MOVED: tuple[Moved, ...] = get_args(Moved)
NOISES = 8  # of a caption, at most
SIDE_BY_SIDE = 4  # of them, beside each other
_LINE = "\n"  # between captions that were tried; captions have commas


@dataclass(frozen=True)
class Choice:
    """What somebody chose on the page. Each view looks at its own part; captions, seeds and quality are for all.

    Attributes:
        view: models by captions; one caption after the other; or stops between two models.
        models: of the matrix, by how they are written, see `models.contender`.
        known: ids of captions of the run's set.
        ja: a caption typed in Japanese, or blank.
        en: its English twin, or blank.
        noises: pictures per caption and language.
        quality: how to draw.
        tried: captions of the playground, the newest first.
        first: the model that a blend goes from, by its ID.
        second: the one that it goes to.
        moved: what changes over the stops of a blend; the other keeps to its slider.
        attention: percent of the second model in the attention layers.
        rest: percent of it in everything else.
    """

    view: View = "matrix"
    models: Sequence[str] = ()
    known: Sequence[str] = ()
    ja: str = ""
    en: str = ""
    noises: int = 2
    quality: Quality = AS_RUN
    tried: Sequence[str] = ()
    first: str | None = None
    second: str | None = None
    moved: Moved = "both"
    attention: int = 50
    rest: int = 50

    @property
    def has_caption(self) -> bool:
        """Whether a caption was chosen or typed."""
        return bool(self.known or self.ja.strip() or self.en.strip())

    def with_tried(self, caption: str) -> tuple[str, ...]:
        """Return the captions that were tried with one more, as many as are shown."""
        caption = " ".join(caption.split())
        return tuple(dict.fromkeys([caption, *self.tried] if caption else self.tried))[:MOST_PROMPTS]


@dataclass(frozen=True)
class Window:
    """Which noises stand beside each other.

    Attributes:
        start: the first that is shown, from 0.
        beside: how many at most.
    """

    start: int = 0
    beside: int = 2

    def shown(self, noises: int) -> range:
        """Return the noises that are shown of so many, in whole windows."""
        start = min(self.start, noises - 1) // self.beside * self.beside
        return range(start, min(start + self.beside, noises))

    def stepped(self, by: int, noises: int) -> Window:
        """Return the window so many further, round and round."""
        windows = -(-noises // self.beside)
        at = self.shown(noises).start // self.beside
        return Window((at + by) % windows * self.beside, self.beside)


def query_of(run: str, choice: Choice, window: Window) -> str:
    """Return the query of the page's address; what is as the page opens is left out."""
    plain, plain_window = Choice(), Window()
    of_view: dict[str, Any] = {
        "matrix": {"id": ",".join(choice.models)},
        "playground": {"view": choice.view, "try": _LINE.join(choice.tried)},
        "blend": {
            "view": choice.view,
            "first": choice.first,
            "second": choice.second,
            **{key: getattr(choice, key) for key in ("moved", "attention", "rest")
               if getattr(choice, key) != getattr(plain, key)},
        },
    }[choice.view]  # fmt: skip
    captions = {} if choice.view == "playground" else {
        "prompt": ",".join(choice.known), "ja": choice.ja.strip(), "en": choice.en.strip()
    }  # fmt: skip
    more = {
        "noises": choice.noises if choice.noises != plain.noises else "",
        "beside": window.beside if window.beside != plain_window.beside else "",
        "noise": window.start + 1 if window.start != plain_window.start else "",
    }
    kept = {key: value for key, value in ({"run": run} | of_view | captions | more).items() if value not in ("", None)}
    return urlencode(kept, safe=",")


def asked_choice(query: Mapping[str, str]) -> tuple[Choice, Window]:
    """Read an address, but for the models and captions that may not be there; what makes no sense is left out."""
    plain, plain_window = Choice(), Window()
    window = Window(
        _number(query.get("noise"), 1, NOISES, plain_window.start + 1) - 1,
        _number(query.get("beside"), 1, SIDE_BY_SIDE, plain_window.beside),
    )
    choice = Choice(
        view=next((view for view in VIEWS if view == query.get("view")), plain.view),
        ja=query.get("ja", ""),
        en=query.get("en", ""),
        noises=_number(query.get("noises"), 1, NOISES, plain.noises),
        tried=tuple(dict.fromkeys(line for line in query.get("try", "").split(_LINE) if line.strip()))[:MOST_PROMPTS],
        first=query.get("first"),
        second=query.get("second"),
        moved=next((moved for moved in MOVED if moved == query.get("moved")), plain.moved),
        attention=_number(query.get("attention"), 0, 100, plain.attention),
        rest=_number(query.get("rest"), 0, 100, plain.rest),
    )
    return choice, window


def _number(text: str | None, least: int, most: int, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and least <= int(text) <= most else otherwise
