"""A comparison as the page shows it: models by captions, languages and seeds, either way round.

Every cell carries the key of its picture, so that a frame that is empty still can be filled as soon as it is drawn,
whatever else the page shows by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eval.prompts.prompt_set import LANGUAGES, Language
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.ui.common import html

from .cells import Cell, Place, data_of, key_of
from .grid import Grid
from .progress import News


def matrix(lang: Lang, grid: Grid, noises: Sequence[int], *, models_across: bool = False) -> Markup:
    """All models and captions with the noises that are shown; empty frames where a picture is still to be drawn.

    Args:
        lang: of the page.
        grid: what there is.
        noises: which are shown, beside each other.
        models_across: models beside each other and captions under each other, instead of the other way round.
    """
    whole = _models_across(lang, grid, noises) if models_across else _models_down(lang, grid, noises)
    return Markup(
        '<div class="sheet" tabindex="0" role="region" aria-label="{}" data-shown="{}">{}</div><p class="quiet">{}</p>'
    ).format(t(lang, "page_compare"), _heads(grid), whole, told(lang, grid))


def cell_html(lang: Lang, grid: Grid, place: Place, cell: Cell | None) -> Markup:
    """Draw one cell: its picture, with its numbers where they are known, or an empty frame."""
    request = grid.asked.request(place)
    assert request is not None
    alt = f"{grid.rows[place.model].label}: {request.prompt}"
    caption = (
        Markup("<b>{}</b>{}{}").format(format_score(cell.score), _changes(lang, cell), _alike(lang, grid, place))
        if cell and cell.score is not None
        else ""
    )
    figure = html.figure(cell.address if cell else None, alt, caption, css="" if cell is None or cell.file else "drawn")
    data = cell.data if cell else data_of(grid.rows[place.model], grid.asked, place)
    return Markup('<td data-cell="{}" data-place="{}">{}</td>').format(
        key_of(data, grid.asked)[:24], "/".join(map(str, place)), figure
    )


def arrivals(lang: Lang, news: News) -> Markup:
    """Draw the cells that came since the page was told last, for their frames to take them."""
    cells = Markup("").join(cell_html(lang, news.grid, place, cell) for place, cell in news.arrived)
    return Markup("<table><tbody><tr>{}</tr></tbody></table>").format(cells)


def progress_words(lang: Lang, news: News | None) -> Markup:
    """Say how many pictures of how many are drawn, and how long the others take."""
    if news is None:
        return Markup("")
    return html.drawing_bar(lang, news.done, news.of, news.seconds_left, is_loading=news.is_loading)


def count_words(lang: Lang, grid: Grid) -> Markup:
    """Say how many pictures of a comparison there are, while nothing is drawn."""
    undrawn = len(grid.undrawn)
    return Markup('<div class="drawing">{}</div>').format(
        t(lang, "drawn_of", done=len(grid.cells), of=len(grid.cells) + undrawn)
    )


def told(lang: Lang, grid: Grid) -> str:
    """Where the pictures come from and how they are made, in words."""
    origins = {cell.file is not None for cell in grid.cells.values()}
    said = [drawn_with(lang, grid)]
    if True in origins:
        said.append(t(lang, "from_the_run"))
    if False in origins:
        said.append(t(lang, "drawn_here"))
    return " ".join(said)


def drawn_with(lang: Lang, grid: Grid) -> str:
    """How the pictures are drawn, in words."""
    settings = grid.asked.settings
    return t(lang, "drawn_with", steps=settings.steps, guidance=f"{settings.guidance:g}")


def noise_label(lang: Lang, grid: Grid, noises: Sequence[int]) -> str:
    """Which of the noises are shown."""
    numbers = dict.fromkeys([noises[0] + 1, noises[-1] + 1])
    return t(lang, "noise_of", n="–".join(map(str, numbers)), of=grid.asked.noises)


def _models_down(lang: Lang, grid: Grid, noises: Sequence[int]) -> Markup:
    """A row per model; a column per caption, language and noise."""
    prompts = range(len(grid.asked.prompts))
    columns = [(prompt, language, noise) for prompt in prompts
               for language in _languages(grid, prompt) for noise in noises]  # fmt: skip
    captions = Markup("").join(
        Markup('<th scope="colgroup" colspan="{}"{}>{}</th>').format(
            len(_languages(grid, prompt)) * len(noises), _first_of_caption(prompt > 0), _captions(grid, prompt)
        )
        for prompt in prompts
    )
    starts = {prompt: (prompt, _languages(grid, prompt)[0], noises[0]) for prompt in prompts if prompt}
    seeds = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(
            _first_of_caption((prompt, language, noise) in starts.values()), _seed(lang, grid, prompt, language, noise)
        )
        for prompt, language, noise in columns
    )
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            _model(lang, grid, model),
            Markup("").join(_cell(lang, grid, Place(model, prompt, noise, language))
                            for prompt, language, noise in columns),
        )
        for model in range(len(grid.rows))
    )  # fmt: skip
    return Markup(
        '<table style="--columns: {}"><thead><tr><td rowspan="2"></td>{}</tr><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(len(columns), captions, seeds, lines)


def _models_across(lang: Lang, grid: Grid, noises: Sequence[int]) -> Markup:
    """A column per model; a row per caption, language and noise."""
    models = range(len(grid.rows))
    heads = Markup("").join(Markup('<th scope="col">{}</th>').format(_model(lang, grid, model)) for model in models)
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}{}</th>{}</tr>').format(
            _caption(language, getattr(grid.asked.prompts[prompt], language)),
            _seed(lang, grid, prompt, language, noise),
            Markup("").join(_cell(lang, grid, Place(model, prompt, noise, language)) for model in models),
        )
        for prompt in range(len(grid.asked.prompts))
        for language in _languages(grid, prompt)
        for noise in noises
    )
    return Markup('<table style="--columns: {}"><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table>').format(
        len(models), heads, lines
    )


def _cell(lang: Lang, grid: Grid, place: Place) -> Markup:
    return cell_html(lang, grid, place, grid.cells.get(place))


def _languages(grid: Grid, prompt: int) -> list[Language]:
    """The languages that a prompt has a caption in."""
    return [language for language in LANGUAGES if getattr(grid.asked.prompts[prompt], language)]


def _captions(grid: Grid, prompt: int) -> Markup:
    found = grid.asked.prompts[prompt].captions
    both = Markup("").join(_caption(language, text) for language, text in found if text)
    return Markup('<div class="captions">{}</div>').format(both)


def _caption(language: Language, text: str) -> Markup:
    return Markup('<span class="caption" lang="{}" title="{}">{}</span>').format(language, text, text)


def _seed(lang: Lang, grid: Grid, prompt: int, language: Language, noise: int) -> Markup:
    seed = t(lang, "noise_seed", seed=grid.asked.seed(prompt, noise))
    return Markup("<small>{} · {}</small>").format(t(lang, f"{language}_short"), seed)


def _heads(grid: Grid) -> str:
    """Name what the rows and columns are, so that another matrix is looked at from its beginning."""
    return " ".join([*(row.named for row in grid.rows), *(prompt.id for prompt in grid.asked.prompts)])


def _first_of_caption(is_first: bool) -> Markup:
    return Markup(' class="apart"') if is_first else Markup("")


def _model(lang: Lang, grid: Grid, model: int) -> Markup:
    row = grid.rows[model]
    kind = row.part or (t(lang, "source") if row.individual is not None and row.individual.is_source else "")
    return Markup("{}<br><small>{}</small>").format(row.label, kind)


def _alike(lang: Lang, grid: Grid, place: Place) -> Markup:
    """How alike the pictures of both languages are, told beneath the Japanese one."""
    alike = grid.alike.get(place) if place.language == "ja" else None
    if alike is None:
        return Markup("")
    return Markup('<span class="against">{}</span>').format(t(lang, "pair_consistency", value=format_score(alike)))


def _changes(lang: Lang, cell: Cell) -> Markup:
    """How the score differs from that of the first row, of the parents and of the best source."""
    return Markup("").join(
        Markup('<span class="against">{} {}</span>').format(
            label, html.score_change(cell.score, other, t(lang, "against", name=label))
        )
        for label, other in cell.others
    )
