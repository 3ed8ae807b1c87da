"""Prompt sets in the making: rows that may still lack a caption or an id, what is wrong with them, splitting them.

A table (CSV) has a line a prompt and the columns id, category, ja, en, reference, in any order; all may be left out but
one language. `tables` says in which letters, and what else the columns may be called.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np

from eval.errors import PromptSetError
from pipelines.errors import Phrase
from pipelines.untrusted import UnreadableDocument, read_bytes

from .problems import first_names
from .prompt_set import LANGUAGES, Language, Prompt, PromptSet, load_prompts
from .tables import decode_table, table_cells

DEFAULT_CATEGORY = "general"  # of a prompt that nobody gave one


@dataclass(frozen=True)
class PromptRow:
    """A prompt as somebody writes it: every cell is text, blank where nothing is there yet."""

    id: str = ""
    category: str = ""
    ja: str = ""
    en: str = ""
    reference: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether it holds nothing at all."""
        return not any(astuple(self))


ROW_COLUMNS = tuple(field.name for field in fields(PromptRow))


@dataclass(frozen=True)
class PromptSetIssues:
    """What a person should look at in a set before a run, by the ids of its rows.

    Attributes:
        missing_captions: by language, the rows without a caption in it.
        same_captions: groups of rows with the same caption in some language, as (language, caption, ids).
        repeated_ids: ids that occur more than once.
    """

    missing_captions: dict[Language, list[str]]
    same_captions: list[tuple[Language, str, list[str]]]
    repeated_ids: list[str]


def to_rows(prompts: PromptSet) -> list[PromptRow]:
    """Return the prompts of a set as rows to edit."""
    return [PromptRow(*(getattr(prompt, column) or "" for column in ROW_COLUMNS)) for prompt in prompts.prompts]


def to_prompt_set(rows: Iterable[PromptRow], name: str, description: str = "") -> PromptSet:
    """Make a prompt set of rows; blank rows are left out, a row without an id gets a free number.

    Raises:
        PromptSetError: no rows, a row without captions, an id twice, or no name.
    """
    kept = number_rows(row for row in rows if not row.is_blank)
    if not kept or not name.strip():
        raise PromptSetError(
            "prompt set {name!r}: expected a name and at least one prompt, found {found}; write some",
            name=name.strip(),
            found=len(kept),
        )
    bare = [row.id for row in kept if not (row.ja or row.en)]
    repeated = find_issues(kept).repeated_ids
    if bare or repeated:
        problems = [Phrase("no caption for {ids}", ids=first_names(bare))] * bool(bare)
        problems += [Phrase("{ids} twice", ids=first_names(repeated))] * bool(repeated)
        raise PromptSetError(
            "prompt set {name!r}: expected ids that occur once and a caption in at least one language for each, found "
            "{problems}; correct or remove these rows",
            name=name,
            problems=Phrase("{one} and {other}", one=problems[0], other=problems[1])
            if len(problems) == 2
            else problems[0],
        )
    prompts = [
        Prompt(
            id=row.id,
            category=row.category or DEFAULT_CATEGORY,
            ja=row.ja or None,
            en=row.en or None,
            reference=row.reference or None,
        )
        for row in kept
    ]
    return PromptSet(name=name.strip(), description=description.strip(), prompts=tuple(prompts))


def number_rows(rows: Iterable[PromptRow]) -> list[PromptRow]:
    """Give an id to every row that lacks one: the lowest numbers that are free."""
    rows = list(rows)
    taken = {row.id for row in rows}
    free = (str(number) for number in range(1, 2 * len(rows) + 1) if str(number) not in taken)
    return [row if row.id else replace(row, id=next(free)) for row in rows]


def read_rows(path: Path) -> list[PromptRow]:
    """Read rows from a prompt set (YAML) or a table (CSV; TSV and semicolons do as well).

    Raises:
        PromptSetError: it cannot be read, or has no column of captions.
    """
    if path.suffix.lower() in (".yaml", ".yml"):
        return to_rows(load_prompts(path))
    try:
        content = read_bytes(path)
    except OSError as error:
        raise PromptSetError(
            "table {path}: expected a readable file, found: {reason}; check the path", path=path, reason=error.strerror
        ) from error
    except UnreadableDocument as error:
        raise PromptSetError(
            "table {path}: expected a table, found {error}; make it smaller", path=path, error=error
        ) from error
    return parse_table(decode_table(path.name, content), path.name)


def parse_table(text: str, where: str) -> list[PromptRow]:
    """Read rows from the text of a table whose first line names the columns.

    Raises:
        PromptSetError: no column of captions, or one that is not understood; see `table_cells`.
    """
    rows = [PromptRow(**cells) for cells in table_cells(text, where, ROW_COLUMNS)]
    return [row for row in rows if not row.is_blank]


def to_csv(rows: Iterable[PromptRow]) -> str:
    """Write rows as a table; encode it as UTF-8 with a byte order mark, so that Excel reads Japanese."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ROW_COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def fill_rows(rows: Sequence[PromptRow], others: Sequence[PromptRow]) -> list[PromptRow]:
    """Add to `rows` what `others` have: their cells fill blank ones of the same id, rows of new ids come last.

    Nothing that is written is overwritten.
    """
    more = {row.id: row for row in others}
    filled = [
        PromptRow(
            *(mine or theirs for mine, theirs in zip(astuple(row), astuple(more.get(row.id, PromptRow())), strict=True))
        )
        for row in rows
    ]
    ids = {row.id for row in rows}
    return [*filled, *(row for row in others if row.id not in ids)]


def normalise_caption(caption: str) -> str:
    """Normalise a caption for comparison: Unicode NFKC, so that full and half width are one, and blanks joined."""
    return " ".join(unicodedata.normalize("NFKC", caption).split())


def find_issues(rows: Sequence[PromptRow]) -> PromptSetIssues:
    """Find what should be looked at: missing twins, captions and ids that occur more than once."""
    same_captions: list[tuple[Language, str, list[str]]] = []
    for language in LANGUAGES:
        groups = defaultdict(list)
        for row in rows:
            if caption := normalise_caption(getattr(row, language)):
                groups[caption].append(row.id)
        same_captions += [(language, caption, ids) for caption, ids in groups.items() if len(ids) > 1]
    counts = Counter(row.id for row in rows if row.id)
    return PromptSetIssues(
        missing_captions={"ja": [row.id for row in rows if not row.ja], "en": [row.id for row in rows if not row.en]},
        same_captions=same_captions,
        repeated_ids=sorted(id for id, count in counts.items() if count > 1),
    )


def split_prompts(prompts: PromptSet, share: float, *, seed: int = 0) -> tuple[PromptSet, PromptSet]:
    """Split a set into one to evolve on and one to hold out, the categories in equal shares, no prompt in both.

    Prompts with the same caption stay together: else the report would be about what was bred on. A category's share can
    then be missed by as many as stay together.

    Args:
        prompts: what to split.
        share: of the prompts to hold out, above 0 and below 1.
        seed: of the choice.

    Returns:
        Those to evolve on and those held out, both in the set's own order.

    Raises:
        PromptSetError: share or seed are out of range, or one of the two would be empty.
    """
    if not 0 < share < 1:
        raise PromptSetError(
            "prompt set {name!r}: expected a share above 0 and below 1, found {share}", name=prompts.name, share=share
        )
    if seed < 0:
        raise PromptSetError(
            "prompt set {name!r}: expected a seed of 0 or more, found {seed}", name=prompts.name, seed=seed
        )
    groups = _caption_groups(prompts)
    order = np.random.default_rng(seed).permutation(len(groups))
    by_category: dict[str, list[list[int]]] = defaultdict(list)
    for group in order:
        by_category[prompts.prompts[groups[group][0]].category].append(groups[group])
    held: set[int] = set()
    seen = 0  # prompts of the categories so far
    for members in by_category.values():  # rounded over all categories so far, so that the total comes out right
        seen += sum(map(len, members))
        for group in members:
            if len(held) + len(group) <= round(share * seen):
                held |= set(group)
    if not held or len(held) == len(prompts):
        raise PromptSetError(
            "prompt set {name!r}: expected prompts enough for two sets, found {found} of which "
            "{held} would be held out; add prompts or take another share",
            name=prompts.name,
            found=len(prompts),
            held=len(held),
        )
    sides = ([row for row in range(len(prompts)) if row not in held], sorted(held))
    evolve, held_out = (
        prompts.model_copy(
            update={"name": f"{prompts.name}-{suffix}", "prompts": tuple(prompts.prompts[r] for r in rows)}
        )
        for suffix, rows in zip(("evolve", "held-out"), sides, strict=True)
    )
    return evolve, held_out


def _caption_groups(prompts: PromptSet) -> list[list[int]]:
    """Return the rows of prompts that share a caption, directly or through others; most are alone."""
    leader = list(range(len(prompts)))

    def find(row: int) -> int:
        while leader[row] != row:
            row = leader[row]
        return row

    first: dict[tuple[Language, str], int] = {}
    for row, prompt in enumerate(prompts.prompts):
        for language, text in prompt.captions:
            if text:
                other = first.setdefault((language, normalise_caption(text)), row)
                leader[max(find(row), find(other))] = min(find(row), find(other))
    groups = defaultdict(list)
    for row in range(len(prompts)):
        groups[find(row)].append(row)
    return list(groups.values())
