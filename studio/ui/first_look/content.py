"""The beginning of Archive and of Evolve, drawn by what draws the pages themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from studio.analysis.selection import WallFilter
from studio.i18n import Lang
from studio.ui.archive.wall import wall
from studio.ui.common.frame import STYLES, page_bar
from studio.ui.common.studio import Studio
from studio.ui.evolve.progress import run_view

CARDS = 12  # of the wall: more than a window shows
_STYLES = STYLES.read_text("utf-8") + Path(__file__).with_name("first_look.css").read_text("utf-8")


def first_look(studio: Studio, lang: Lang, page: str, run: str) -> Markup:
    """Draw the bar of a page, room for its fields, and its first pictures, with all styles that they need.

    Raises:
        RunError: there is no such run.
    """
    return Markup('<style>{}</style><div class="studio-top">{}</div><div class="fields"></div><main>{}</main>').format(
        Markup(_STYLES), page_bar(lang, page), LOOKS[page](studio, lang, run)
    )


def _archive(studio: Studio, lang: Lang, run: str) -> Markup:
    return wall(studio, lang, run, WallFilter(), size=CARDS).cards


def _evolve(studio: Studio, lang: Lang, run: str) -> Markup:
    shown = run_view(studio, lang, run)
    return Markup('<div id="headline">{}</div>{}{}').format(shown.headline, shown.film, shown.newest)


#: The pages whose first pictures are shown before Gradio has started, and what draws them.
LOOKS: dict[str, Callable[[Studio, Lang, str], Markup]] = {"archive": _archive, "evolve": _evolve}
