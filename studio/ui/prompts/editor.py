"""What the Prompts page does: open prompt sets, read tables, say how they stand, measure, split and save them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from eval.prompts.editing import (
    ROW_COLUMNS,
    PromptRow,
    PromptSetIssues,
    fill_rows,
    find_issues,
    number_rows,
    read_rows,
    split_prompts,
    to_csv,
    to_prompt_set,
    to_rows,
)
from eval.prompts.prompt_set import to_yaml
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.storage.files import write_whole
from studio.errors import RunError
from studio.i18n import Lang, t
from studio.library import prompt_library
from studio.library.caption_lengths import caption_lengths, scorer_reader, source_readers, unread_captions
from studio.markdown import markdown_text
from studio.runs.inputs import load_cached_prompts
from studio.runs.picture_names import safe_component
from studio.ui.common import html
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import page_link
from studio.ui.common.studio import Studio, download_folder

PICTURES = 60  # reference pictures shown at once
SHOWN = 200  # lines of the table of lengths
NAMED = 8  # ids in a sentence
Cells = list[list[Any]]


class Opened(NamedTuple):
    """A set as the page shows it for editing; `place` is the folder that its reference pictures are relative to."""

    name: str
    description: str
    cells: Cells
    place: str


def open_set(studio: Studio, name: str) -> Opened:
    """A known set.

    Raises:
        M2N2Error: there is no such set, or it cannot be read.
    """
    path = known(studio, name)
    prompts = load_cached_prompts(path)
    called = name if name not in prompt_library.SHIPPED else f"my-{prompts.name}"
    return Opened(called, prompts.description, cells(to_rows(prompts)), str(path.parent))


@at_field("set")
def known(studio: Studio, name: str | None) -> Path:
    """The file of a known set.

    Raises:
        RunError: there is no set of that name.
    """
    files = prompt_library.prompt_sets(studio.prompts)
    if name not in files:
        raise RunError(
            "There is no prompt set called {name!r}. Expected one of: {names}.", name=name, names=", ".join(files)
        )
    return files[name]


def choices(studio: Studio, lang: Lang) -> list[tuple[str, str]]:
    """The known sets as (label, name)."""
    shipped = t(lang, "shipped")
    return [
        (f"{name} ({shipped})" if name in prompt_library.SHIPPED else name, name)
        for name in prompt_library.prompt_sets(studio.prompts)
    ]


def cells(rows: Sequence[PromptRow]) -> Cells:
    """Rows as the table holds them."""
    return [[getattr(row, column) for column in ROW_COLUMNS] for row in rows]


def rows(table: Cells) -> list[PromptRow]:
    """The table as rows; what a person left empty may come as None."""
    return [row for line in table if not (row := PromptRow(*(str(cell or "").strip() for cell in line))).is_blank]


def imported(file: Path, table: Cells, *, join: bool) -> Cells:
    """The table after a file was read: the file instead of it, or joined to it by id.

    Raises:
        PromptSetError: the file cannot be read.
    """
    new = read_rows(file)
    return cells(fill_rows(rows(table), new) if join else number_rows(new))


def state(lang: Lang, table: Cells) -> str:
    """How the set stands, in words: how many prompts, which twins are missing, what occurs twice."""
    written = rows(table)
    if not written:
        return t(lang, "set_empty")
    found = find_issues(written)
    said = [t(lang, "set_counts", n=len(written), categories=len({row.category for row in written}))]
    said += [
        t(lang, f"set_lacks_{language}", n=len(ids), ids=_some(ids))
        for language, ids in found.missing_captions.items()
        if ids
    ]
    if found.repeated_ids:
        said.append(t(lang, "set_repeated", ids=_some(found.repeated_ids)))
    said += _same(lang, found)
    sound = len(said) == 1
    if unread := list(dict.fromkeys(one.id for one in unread_captions(written))):
        said.append(t(lang, "set_syntax", n=len(unread), ids=_some(unread)))
    if sound:
        said.append(t(lang, "set_sound"))
    return "\n".join(f"- {one}" for one in said)


def _same(lang: Lang, found: PromptSetIssues) -> list[str]:
    shown = [
        t(lang, "set_same", language=t(lang, f"language_{language}"), caption=markdown_text(caption), ids=_some(ids))
        for language, caption, ids in found.same_captions[:NAMED]
    ]
    rest = len(found.same_captions) - NAMED
    return shown + ([t(lang, "set_same_more", n=rest)] if rest > 0 else [])


def measured(
    lang: Lang, table: Cells, scorer: str, source: str | None, syntax: PromptSyntax = PLAIN
) -> tuple[str, dict[str, Any]]:
    """How long the captions are for a scorer and for a source's text encoders: a sentence, and a table.

    Raises:
        M2N2Error: the scorer's tokenizer or the source cannot be opened.
    """
    readers = [scorer_reader(scorer), *(source_readers(open_source_uri(source)) if source else [])]
    found = caption_lengths(rows(table), readers, syntax)
    cut = [one for one in found if one.cut_by]
    said = t(lang, "tokens_cut", n=len(cut)) if cut else t(lang, "tokens_fit", n=len(found))
    headers = [t(lang, "column_id"), t(lang, "language"), t(lang, "caption"), *_limits(lang, readers)]
    lines = [
        [
            one.id,
            t(lang, f"language_{one.language}"),
            one.caption,
            *(
                f"⚠ {count}" if reader.name in one.cut_by else str(count)
                for reader, count in zip(readers, one.tokens, strict=True)
            ),
        ]
        for one in found[:SHOWN]
    ]
    return said, {"headers": headers, "data": lines}


def _limits(lang: Lang, readers: Sequence[Any]) -> list[str]:
    return [t(lang, "tokens_of", reader=reader.name, limit=reader.limit) for reader in readers]


def save(studio: Studio, table: Cells, name: str, description: str, place: str, *, overwrite: bool) -> str:
    """Save the table as a set of one's own; returns its name.

    Raises:
        PromptSetError: rows that cannot be saved, a name that cannot be a file's or is taken.
    """
    path = _own_path(studio, name)
    with at_field("rows"):
        moved = prompt_library.rebase_references(rows(table), Path(place), path.parent)
        prompts = to_prompt_set(moved, path.stem, description)
    with at_field("set-name"):
        return prompt_library.save_prompt_set(path, prompts, overwrite=overwrite).stem


@at_field("set-name")
def _own_path(studio: Studio, name: str) -> Path:
    return prompt_library.prompt_set_path(studio.prompts, name)


def save_split(
    studio: Studio, table: Cells, name: str, place: str, *, share: float, seed: int, overwrite: bool
) -> tuple[list[str], list[int]]:
    """Save the table as two sets, one to evolve on and one held out; returns their names and sizes.

    Raises:
        PromptSetError: as `save`, or too few prompts to split; nothing is written then.
    """
    target = _own_path(studio, name)
    with at_field("rows"):
        moved = prompt_library.rebase_references(rows(table), Path(place), target.parent)
        halves = split_prompts(to_prompt_set(moved, target.stem), share, seed=seed)
    paths = [_own_path(studio, half.name) for half in halves]
    with at_field("set-name"):
        for path in paths:
            prompt_library.check_free(path, overwrite=overwrite)
    for path, half in zip(paths, halves, strict=True):
        prompt_library.save_prompt_set(path, half, overwrite=overwrite)
    return [path.stem for path in paths], [len(half) for half in halves]


def exported(table: Cells, name: str, place: str, kind: str) -> str:
    """The table as a file to download: "csv", or "yaml" with whole paths of reference pictures."""
    folder = download_folder()
    stem = safe_component(Path(name.strip() or "prompts").name)
    if kind == "csv":
        path = folder / f"{stem}.csv"
        write_whole(path, to_csv(rows(table)).encode("utf-8-sig"))
    else:
        path = folder / f"{stem}.yaml"
        with at_field("rows"):
            prompts = to_prompt_set(rows(table), stem).with_absolute_references(Path(place))
        write_whole(path, to_yaml(prompts).encode())
    return str(path)


def pictures(lang: Lang, name: str | None, table: Cells) -> Markup:
    """The reference pictures of a saved set, the first ones."""
    named = [row for row in rows(table) if row.reference]
    if not named or name is None:
        return html.empty_message(t(lang, "no_references"))
    strip = Markup("").join(
        html.figure(html.prompt_picture(name, row.id), row.ja or row.en, row.ja or row.en) for row in named[:PICTURES]
    )
    note = t(lang, "references_shown", n=min(PICTURES, len(named)), of=len(named))
    return Markup('<div class="strip many">{}</div><p class="quiet">{}</p>').format(strip, note)


def links(studio: Studio, lang: Lang, name: str | None) -> Markup:
    """The way to a new run with a saved set."""
    if name is None:
        return Markup('<p class="quiet">{}</p>').format(t(lang, "save_first"))
    return Markup('<a class="action primary" href="{}">{}</a>').format(
        page_link(lang, "new", prompts=str(known(studio, name))), t(lang, "use_in_run")
    )


def _some(ids: Sequence[str]) -> str:
    rest = len(ids) - NAMED
    return ", ".join(markdown_text(id) or "–" for id in ids[:NAMED]) + (f" … (+{rest})" if rest > 0 else "")
