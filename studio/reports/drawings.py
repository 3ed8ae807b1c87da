"""Drawings of a run and of an individual as SVG: niches, family tree, and which source each depth came from."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from markupsafe import Markup
from PIL import Image

from eval.prompts.prompt_set import PromptSet
from pipelines.recipes.lineage import Lineage
from studio.analysis.lineage import ancestry
from studio.analysis.source_shares import source_shares
from studio.analysis.weak_spots import is_weak
from studio.evolution.niches import adjusted, owners
from studio.i18n import Lang, chromosome_label, t
from studio.png_metadata import png_uri
from studio.runs.individual import Individual

# Okabe and Ito's palette: apart for colour-blind readers, and on light and dark ground.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b8000", "#7f7f7f")
ROW, CELL, LABEL = 13, 12, 76  # of the niche map, in SVG units
WIDTH, BAR = 640, 46  # of the depth strip
TREE_WIDTH, TREE_HEIGHT, TREE_MARGIN = 1200, 260, 14
TREE_PICTURE, TREE_BAND = 60, 84  # a picture above the tree, and the height that it takes


def niche_map(lang: Lang, alive: Sequence[Individual], prompts: PromptSet) -> Markup:
    """Draw individuals by prompts: the darker, the further above the archive's worst; a ring marks a niche's holder.

    A prompt whose best score is among the lowest quarter is marked as a weak spot. The shades are one picture: as
    thousands of elements they would take a page a second.
    """
    if not alive:
        return Markup("")
    scores = np.stack([individual.scores["ja"].mean(axis=1) for individual in alive])  # [individuals, prompts]
    above = adjusted(scores)
    shade = above / np.where(above.max(axis=0) > 0, above.max(axis=0), 1.0)
    holder = owners(scores)
    best = scores.max(axis=0)
    weak = is_weak(best)
    width, height = LABEL + CELL * len(best), ROW * (len(alive) + 1) + 2
    parts = [
        Markup(
            '<mask id="niche-shades"><image href="{0}" x="{1}" y="{2}" width="{3}" height="{4}"/>'
            '</mask><rect class="shades" mask="url(#niche-shades)" x="{1}" y="{2}" width="{3}" height="{4}"/>'
        ).format(_shades(shade), LABEL, ROW, width - LABEL, height - ROW - 2)
    ]
    for column, prompt in enumerate(prompts.prompts):
        x = LABEL + CELL * column
        parts.append(
            Markup('<rect class="column" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                x, ROW, CELL, height - ROW - 2, prompt.ja
            )
        )
        if weak[column]:
            words = t(lang, "weak_spot", prompt=prompt.ja, score=f"{best[column]:.3f}")
            parts.append(
                Markup('<text class="weak" x="{}" y="{}"><title>{}</title>!</text>').format(
                    x + CELL / 2, ROW - 3, words
                )
            )
        row = int(holder[column])
        if row >= 0:
            words = t(lang, "niche_cell", id=alive[row].id, prompt=prompt.ja, score=f"{scores[row, column]:.3f}")
            parts.append(
                Markup('<rect class="held" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                    x + 1, ROW * (row + 1) + 1, CELL - 2, ROW - 2, words + t(lang, "niche_held")
                )
            )
    for row, individual in enumerate(alive):
        parts.append(
            Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
                "name source" if individual.is_source else "name", LABEL - 5, ROW * (row + 2) - 3, individual.id[:11]
            )
        )
    return Markup(
        '<h3 class="heading">{0}</h3><div class="map-scroll" tabindex="0" role="region" aria-label="{0}">'
        '<svg class="niche-map" role="img" aria-label="{0}" viewBox="0 0 {1} {2}" style="max-width:{3}px">{4}</svg>'
        '</div><p class="quiet">{5}</p>'
    ).format(t(lang, "niche_map"), width, height, int(width * 1.2), Markup("").join(parts), t(lang, "niche_legend"))


def _shades(shade: np.ndarray) -> str:
    """Draw the shades, 0..1 [individuals, prompts], as a grey picture of cells with gaps between: a data URI."""
    cell = np.pad(np.ones((ROW - 2, CELL - 2)), 1)
    buffer = io.BytesIO()
    Image.fromarray(np.kron(np.round((0.06 + 0.7 * shade) * 255), cell).astype(np.uint8)).save(buffer, "PNG")
    return png_uri(buffer.getvalue())


def family_tree(
    lang: Lang,
    everyone: Sequence[Individual],
    link: Callable[[str], str],
    picture: Callable[[str], str | None] = lambda id: None,
) -> Markup:
    """Draw those alive and their ancestors: when each was born, how well it draws Japanese, whose child it is.

    The colour is the source that weighs most in it; who is alive is filled. Each leads to the address that `link` gives
    for its id. Above stand pictures of the best and of whom it descends from, where `picture` gives an address.
    """
    kin = {one.id for one in ancestry(everyone, [one.id for one in everyone if one.alive])}
    shown = [(number, one) for number, one in enumerate(everyone) if one.id in kin and one.mean("ja") is not None]
    if len(shown) < 2:
        return Markup("")
    means = [one.mean("ja") or 0.0 for _, one in shown]
    low, high = min(means), max(max(means), min(means) + 1e-6)
    sources = [source.name for source in shown[0][1].recipe.sources]
    place = {
        one.id: (
            TREE_MARGIN + (TREE_WIDTH - 2 * TREE_MARGIN) * number / max(1, len(everyone) - 1),
            TREE_HEIGHT - TREE_MARGIN - (TREE_HEIGHT - 2 * TREE_MARGIN) * (mean - low) / (high - low),
        )
        for (number, one), mean in zip(shown, means, strict=True)
    }
    lines = Markup("").join(
        Markup('<path d="M{:.1f} {:.1f} L{:.1f} {:.1f}"/>').format(*place[parent], *place[one.id])
        for _, one in shown
        for parent in dict.fromkeys((one.mother, one.father))
        if parent in place
    )
    shares = [source_shares(one.recipe) for _, one in shown]
    heaviest = [max(parts, key=lambda source: parts[source]) for parts in shares]
    dots = Markup("").join(
        Markup(
            '<a href="{}"><circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}" style="--of:{}"/><title>{}</title></a>'
        ).format(
            link(one.id),
            "alive" if one.alive else "gone",
            *place[one.id],
            6 if one.is_source else 4,
            COLOURS[sources.index(source) % len(COLOURS)],
            t(lang, "tree_node", id=one.id, score=f"{mean:.3f}", source=source),
        )
        for (_, one), mean, source in zip(shown, means, heaviest, strict=True)
    )
    legend = Markup("").join(
        Markup('<span><i style="background:{}"></i>{}</span>').format(COLOURS[k % len(COLOURS)], name)
        for k, name in enumerate(sources)
    )
    pictures = _pictures_above(everyone, place, link, picture)
    band = TREE_BAND if pictures else 0
    return Markup(
        '<h3 class="heading">{0}</h3><div class="legend">{1}<em>{2}</em></div>'
        '<svg class="tree" role="group" aria-label="{0}" viewBox="0 {3} {4} {5}"><g>{6}</g>{7}{8}</svg>'
    ).format(
        t(lang, "tree"), legend, t(lang, "tree_legend"), -band, TREE_WIDTH, TREE_HEIGHT + band, lines, dots, pictures
    )


def _pictures_above(
    everyone: Sequence[Individual],
    place: Mapping[str, tuple[float, float]],
    link: Callable[[str], str],
    picture: Callable[[str], str | None],
) -> Markup:
    """Draw pictures of the best, its best source and its ancestors above their places, as many as cover no other."""
    alive = [one for one in everyone if one.alive and one.id in place]
    if not alive:
        return Markup("")
    best = max(alive, key=lambda one: one.mean("ja") or 0.0)
    line = sorted(ancestry(everyone, [best.id]), key=lambda one: -(one.mean("ja") or 0.0))
    beginning = [one for one in line if one.is_source][:1]
    lefts: list[float] = []
    drawn = Markup("")
    for one in [best, *beginning, *line]:
        x, y = place.get(one.id, (0.0, 0.0))
        left = min(max(x - TREE_PICTURE / 2, 0.0), float(TREE_WIDTH - TREE_PICTURE))
        free = one.id in place and all(abs(left - other) >= TREE_PICTURE + 4 for other in lefts)
        if not free or (address := picture(one.id)) is None:
            continue
        lefts.append(left)
        drawn += Markup(
            '<path class="leader" d="M{:.1f} {} L{:.1f} {:.1f}"/><a href="{}">'
            '<image href="{}" x="{:.1f}" y="{}" width="{}" height="{}"/><title>{}</title></a>'
        ).format(
            left + TREE_PICTURE / 2, TREE_PICTURE - TREE_BAND, x, y, link(one.id),
            address, left, -TREE_BAND, TREE_PICTURE, TREE_PICTURE, one.id,
        )  # fmt: skip
    return drawn


def depth_strip(lang: Lang, individual: Individual) -> Markup:
    """Draw which source each part of the network came from, per chromosome, from the first layer to the last.

    The height of a colour is a source's share there; lines mark the split points of the crossover that made it.
    """
    recipe = individual.recipe
    lineage = recipe.lineage
    parts = []
    for row, (name, chromosome) in enumerate(recipe.chromosomes.items()):
        top = row * (BAR + 26) + 18
        parts.append(Markup('<text x="0" y="{}">{}</text>').format(top - 5, chromosome_label(lang, name)))
        for start, stop, weights in chromosome.spans_within(0, chromosome.size):
            shares = np.abs(weights) / (np.abs(weights).sum() or 1.0)
            y = float(top)
            for k, share in enumerate(shares):
                words = t(lang, "depth_cell", source=recipe.sources[k].name, share=f"{weights[k]:.2f}")
                parts.append(
                    Markup(
                        '<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill="{}"><title>{}</title></rect>'
                    ).format(
                        WIDTH * start / chromosome.size, y, WIDTH * (stop - start) / chromosome.size, BAR * share,
                        COLOURS[k % len(COLOURS)], words,
                    )
                )  # fmt: skip
                y += BAR * float(share)
        for split, ratio in zip(*_drawn(lineage, name), strict=False):
            x = WIDTH * split / chromosome.size
            assert lineage is not None
            words = t(lang, "split_point", mother=lineage.mother, father=lineage.father, ratio=f"{ratio:.2f}")
            parts.append(
                Markup('<line x1="{0:.2f}" x2="{0:.2f}" y1="{1}" y2="{2}"><title>{3}</title></line>').format(
                    x, top - 4, top + BAR + 4, words
                )
            )
    legend = Markup("").join(
        Markup('<span><i style="background:{}"></i>{}</span>').format(COLOURS[k % len(COLOURS)], source.name)
        for k, source in enumerate(recipe.sources)
    )
    height = len(recipe.chromosomes) * (BAR + 26)
    return Markup(
        '<div class="depth"><div class="legend">{}<em>{}</em></div>'
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg></div>'
    ).format(legend, t(lang, "depth_direction"), t(lang, "depth_strip"), WIDTH, height, Markup("").join(parts))


def _drawn(lineage: Lineage | None, chromosome: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the split points of a chromosome and the mixing ratio before each."""
    if lineage is None or chromosome not in lineage.splits:
        return (), ()
    splits, ratios = lineage.splits[chromosome], lineage.ratios.get(chromosome, 0.0)
    return (splits,) if isinstance(splits, int) else splits, (ratios,) if isinstance(ratios, float) else ratios
