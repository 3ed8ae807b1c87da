"""The map of a run's recipes as SVG: expected scores as colour and lines, every model where it lies."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from studio.breeding.score_map import COLUMNS, ROWS, ScoreMap
from studio.evolution.foresight import squared_distances
from studio.evolution.niches import Floats
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.png_metadata import png_uri
from studio.runs.individual import Individual

# From low to high, all as light as each other (OKLCH with L .68, C .13, hues 255 to 425): how strong a colour is tells
# how much is known, on light and dark ground. Blue and orange stay apart for colour-blind readers.
SCALE = ("#5e9ae7", "#968ae3", "#be7bc7", "#d77499", "#dd7766", "#cf8634")
MAP_STYLES = Path(__file__).with_name("templates") / "recipe_map.css"
WIDTH, HEIGHT = 720, 480  # SVG units
FAINTEST, STRONGEST = 0.04, 0.9  # opacity of a cell of which nothing, or all, is known
DRAWN_FROM = 0.3  # certainty, below which no line is drawn: it would say more than is known
LINES = 6  # of equal expected score, about
ROUND = 0.0099  # between lines, from which on two digits tell their scores apart
SHORTEST = 40  # width and height together of a line that is drawn, in SVG units
FREE, EDGE = 30, 20  # room that a label wants to the marks, and has to the edge
LETTER, LINE_HEIGHT = 7.5, 14  # width and height of a letter of a label, about
AWAY = 11  # of a label from what it names
MARKS = {
    "best": Markup(
        '<path d="M0 -13 L3.4 -4.5 L12.4 -4 L5.3 1.7 L7.7 10.5 L0 5.5 L-7.7 10.5 L-5.3 1.7 L-12.4 -4 L-3.4 -4.5 Z"/>'
    ),
    "newest": Markup('<circle class="ring" r="9.5"/><circle r="5"/>'),
    "source": Markup('<rect x="-7" y="-7" width="14" height="14" transform="rotate(45)"/>'),
    "alive": Markup('<circle r="5"/>'),
    "gone": Markup('<circle r="3.2"/>'),
}  # by kind, those that lie on top first
LEGEND = ("source", "best", "newest", "alive", "gone")
NAMED = ("source", "best", "newest")  # kinds with a label


def recipe_map(
    lang: Lang, found: ScoreMap, individuals: Sequence[Individual], link: Callable[[str], str] | None = None
) -> Markup:
    """Draw the map.

    Args:
        lang: of the page.
        found: the map.
        individuals: those that lie on it, in the order of its points, oldest first.
        link: gives the address that a model leads to, by its id; without it none leads anywhere.
    """
    kinds, scores = kinds_on_map(individuals), [one.mean("ja") or 0.0 for one in individuals]
    low, high = min(*scores, float(found.mean.min())), max(*scores, float(found.mean.max()))
    colours = _hex(_on_scale(np.array(scores), low, high))
    places = [(float(x) * WIDTH, (1 - float(y)) * HEIGHT) for x, y in found.points]
    order = sorted(range(len(individuals)), key=lambda one: -list(MARKS).index(kinds[one]))
    marks = Markup("").join(_mark(lang, individuals[one], kinds[one], places[one], colours[one], link) for one in order)
    named = [(individuals[one].id, places[one]) for one in reversed(order) if kinds[one] in NAMED]
    return Markup(
        '<svg class="recipe-map" role="{0}" aria-label="{1}" viewBox="0 0 {2} {3}"><g aria-hidden="true">'
        '<image href="{4}" width="{2}" height="{3}" preserveAspectRatio="none"/>{5}</g>{6}'
        '<g class="labels" aria-hidden="true">{7}</g></svg>{8}'
    ).format(
        "group" if link else "img",
        t(lang, "map_title"),
        WIDTH,
        HEIGHT,
        _cells(found, low, high),
        _lines(found, np.array(places)),
        marks,
        _labels(named, places),
        _legend(lang, low, high, [kind for kind in LEGEND if kind in kinds], can_be_opened=link is not None),
    )


def kinds_on_map(individuals: Sequence[Individual]) -> list[str]:
    """Return what each individual is drawn as, a name in `MARKS`: of several the first."""
    children = [one for one in individuals if not one.is_source]
    alive = [one for one in children if one.alive]
    best = max(alive, key=lambda one: one.mean("ja") or 0.0, default=None)

    def kind(one: Individual) -> str:
        if one.is_source:
            return "source"
        if one is best:
            return "best"
        return "newest" if one is children[-1] else "alive" if one.alive else "gone"

    return [kind(one) for one in individuals]


def _mark(
    lang: Lang, one: Individual, kind: str, place: tuple[float, float], colour: str, link: Callable[[str], str] | None
) -> Markup:
    words = t(lang, "map_node", id=one.id, score=format_score(one.mean("ja")), what=t(lang, f"map_{kind}"))
    drawn = Markup('<g class="mark {}" fill="{}" transform="translate({:.1f} {:.1f})">{}<title>{}</title></g>').format(
        kind, colour, *place, MARKS[kind], words
    )
    return Markup('<a href="{}">{}</a>').format(link(one.id), drawn) if link else drawn


def _on_scale(scores: Floats, low: float, high: float) -> np.ndarray:
    """Return the colour of each score between two: uint8 [..., 3] of [...]."""
    at = (scores - low) / (high - low or 1.0) * (len(SCALE) - 1)
    stops = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in SCALE])
    channels = [np.interp(at, np.arange(len(SCALE)), stops[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _hex(colours: np.ndarray) -> list[str]:
    """Write colours, uint8 [colours, 3], as CSS does."""
    return [f"#{colour.tobytes().hex()}" for colour in colours]


def _cells(found: ScoreMap, low: float, high: float) -> str:
    """Draw the cells as a picture with opacity, one pixel each, which a browser smooths: a data URI."""
    opacity = FAINTEST + (STRONGEST - FAINTEST) * np.clip(found.certainty, 0.0, 1.0)
    cells = np.dstack([_on_scale(found.mean, low, high), (255 * opacity).round().astype(np.uint8)])
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(cells[::-1]), "RGBA").save(buffer, "PNG")
    return png_uri(buffer.getvalue())


def _lines(found: ScoreMap, marks: Floats) -> Markup:
    """Draw lines of equal expected score, where enough is known, each with the score where fewest marks are near."""
    known = np.ma.masked_array(found.mean, found.certainty < DRAWN_FROM)
    if known.count() == 0:
        return Markup("")
    low, high = float(known.min()), float(known.max())
    ticks = np.asarray(MaxNLocator(LINES).tick_values(low, high))
    levels = ticks[(ticks > low) & (ticks < high)]
    if not len(levels):
        return Markup("")
    digits = 2 if ticks[1] - ticks[0] >= ROUND else 3
    x = (np.arange(COLUMNS) + 0.5) * WIDTH / COLUMNS
    y = HEIGHT - (np.arange(ROWS) + 0.5) * HEIGHT / ROWS
    contours = Figure().add_subplot().contour(x, y, known, levels=levels)
    drawn = []
    for level, several in zip(contours.levels, contours.allsegs, strict=True):
        lines = [np.asarray(line) for line in several if len(line) and np.ptp(line, axis=0).sum() > SHORTEST]
        for line in lines:
            points = " L".join(f"{one:.1f} {other:.1f}" for one, other in line)
            drawn.append(Markup('<path d="M{}"/>').format(points))
        if lines:
            along = np.concatenate(lines)
            free = np.sqrt(squared_distances(along, marks)).min(axis=1)
            inside = (np.minimum(along, (WIDTH, HEIGHT) - along) > EDGE).all(axis=1)
            left, top = along[int(np.where(inside, np.minimum(free, FREE), -1.0).argmax())]
            drawn.append(Markup('<text x="{:.1f}" y="{:.1f}">{:.{}f}</text>').format(left, top + 4, level, digits))
            marks = np.vstack([marks, [left, top]])
    return Markup('<g class="lines">{}</g>').format(Markup("").join(drawn))


def _labels(named: Sequence[tuple[str, tuple[float, float]]], marks: Sequence[tuple[float, float]]) -> Markup:
    """Write names beside what they name: of all sides the one where least lies under them."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in marks]
    drawn = []
    for name, (x, y) in named:
        boxes = list(_sides(x, y, LETTER * len(name)))
        left, top, right, bottom = min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken))
        taken.append((left, top, right, bottom))
        drawn.append(
            Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format((left + right) / 2, bottom - LINE_HEIGHT / 4, name)
        )
    return Markup("").join(drawn)


def _sides(x: float, y: float, width: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield boxes for a label on every side of a place, moved into the map: left, top, right, bottom."""
    half = LINE_HEIGHT / 2
    for left, top in (
        (x + AWAY, y - half),
        (x - AWAY - width, y - half),
        (x - width / 2, y - AWAY - LINE_HEIGHT),
        (x - width / 2, y + AWAY),
    ):
        left = min(max(left, 2), WIDTH - width - 2)
        top = min(max(top, 2), HEIGHT - LINE_HEIGHT - 2)
        yield left, top, left + width, top + LINE_HEIGHT


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _legend(lang: Lang, low: float, high: float, kinds: Sequence[str], *, can_be_opened: bool) -> Markup:
    """Say what the marks, the colours and their strength mean."""
    marks = Markup("").join(
        Markup(
            '<span><svg class="recipe-map" viewBox="-13 -13 26 26" aria-hidden="true"><g class="mark {}" fill="none">'
            "{}</g></svg>{}</span>"
        ).format(kind, MARKS[kind], t(lang, f"map_{kind}"))
        for kind in kinds
    )
    return Markup(
        '<div class="legend map-legend">{}<span>{} <b class="number">{}</b><i class="scale" style="background:'
        'linear-gradient(90deg,{})"></i><b class="number">{}</b></span><span>{}<i class="scale" style="background:'
        'linear-gradient(90deg,transparent,{})"></i>{}</span>{}</div>'
    ).format(
        marks,
        t(lang, "map_expected"),
        format_score(low),
        Markup(",".join(SCALE)),
        format_score(high),
        t(lang, "map_unknown"),
        SCALE[len(SCALE) // 2],
        t(lang, "map_known"),
        Markup("<em>{}</em>").format(t(lang, "map_click")) if can_be_opened else "",
    )
