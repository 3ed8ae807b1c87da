"""How long captions are for those who read them: the scorer, and the text encoders that draw.

Both cut the end off a long caption without a word, so that it is drawn and judged by its beginning alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from eval.prompts.editing import PromptRow
from eval.prompts.prompt_set import Language
from eval.scorers import names
from eval.scorers.tokens import token_counts, tokenizer_of
from pipelines.checkpoints.contents import TOKENIZERS
from pipelines.checkpoints.sources import Source
from pipelines.generation.build import load_tokenizer
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax, caption_of, unread_syntax


@dataclass(frozen=True)
class CaptionReader:
    """What reads captions.

    Attributes:
        name: what it is called.
        limit: tokens that it reads at once, marks at both ends included.
        counts: counts the tokens of plain captions, these marks included.
        draws: whether it draws: such a one reads captions in A1111's syntax in as many chunks as they need.
    """

    name: str
    limit: int
    counts: Callable[[Sequence[str]], list[int]]
    draws: bool = False


@dataclass(frozen=True)
class CaptionLength:
    """A caption of a prompt, and its length in tokens for each reader."""

    id: str
    language: Language
    caption: str
    tokens: tuple[int, ...]
    cut_by: tuple[str, ...]  # the readers that see only its beginning


@dataclass(frozen=True)
class UnreadCaption:
    """A caption of a prompt, and the places in it that a run does not read as A1111 does."""

    id: str
    language: Language
    places: tuple[str, ...]


def scorer_reader(name: str) -> CaptionReader:
    """Open the tokenizer of a scorer, but not its model.

    Raises:
        ScorerError: its files are neither here nor to be had.
    """
    scorer_tokenizer = tokenizer_of(name, weights=False)
    return CaptionReader(names.label(name), scorer_tokenizer.context_length, partial(token_counts, scorer_tokenizer))


def source_readers(source: Source) -> list[CaptionReader]:
    """Open the tokenizers of a source's text encoders; none where it is a UNet alone.

    Raises:
        SourceError: a tokenizer cannot be read.
    """
    return [
        CaptionReader(
            f"{source.name} {part}", text_tokenizer.model_max_length, partial(_counts, text_tokenizer), draws=True
        )
        for part in TOKENIZERS
        if part in source.contents.tokenizers
        for text_tokenizer in [load_tokenizer(part, source)]
    ]


def _counts(text_tokenizer: Any, texts: Sequence[str]) -> list[int]:
    return list(map(len, text_tokenizer(list(texts), verbose=False).input_ids)) if texts else []


def caption_lengths(
    rows: Sequence[PromptRow], readers: Sequence[CaptionReader], syntax: PromptSyntax = PLAIN
) -> list[CaptionLength]:
    """Measure every caption in tokens of each reader: those that are cut first, then the longest.

    Args:
        rows: whose captions.
        readers: who reads them.
        syntax: how they are read; in A1111's their words are counted, and no text encoder cuts them.
    """
    captions = _captions(rows)
    words = [caption_of(caption, syntax) for *_, caption in captions]
    counts = [reader.counts(words) for reader in readers]
    lengths = []
    for tokens, (id, language, caption) in zip(zip(*counts, strict=True), captions, strict=True):
        cut = tuple(
            one.name
            for one, count in zip(readers, tokens, strict=True)
            if count > one.limit and not (one.draws and syntax != PLAIN)
        )
        lengths.append(CaptionLength(id, language, caption, tokens, cut))
    return sorted(lengths, key=lambda one: (-len(one.cut_by), -max(one.tokens)))


def unread_captions(rows: Sequence[PromptRow], syntax: PromptSyntax = PLAIN) -> list[UnreadCaption]:
    """Find captions with A1111's syntax that a run does not read as A1111 does; see `unread_syntax`."""
    found = ((id, language, unread_syntax(caption, syntax)) for id, language, caption in _captions(rows))
    return [UnreadCaption(id, language, places) for id, language, places in found if places]


def _captions(rows: Sequence[PromptRow]) -> list[tuple[str, Language, str]]:
    """Return all captions there are, each with its id and language."""
    return [
        (row.id, language, caption)
        for row in rows
        for language in get_args(Language)
        if (caption := getattr(row, language))
    ]
