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


@dataclass(frozen=True)
class CaptionReader:
    """Somebody who reads captions: what it is called, its limit, and how it counts, marks at both ends included."""

    name: str
    limit: int
    counts: Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class CaptionLength:
    """A caption of a prompt, and its tokens for each reader."""

    id: str
    language: Language
    caption: str
    tokens: tuple[int, ...]
    cut_by: tuple[str, ...]  # the readers that see only its beginning


def scorer_reader(name: str) -> CaptionReader:
    """The tokenizer of a scorer, whose model is not opened.

    Raises:
        ScorerError: its files are neither here nor to be had.
    """
    opened = tokenizer_of(name, weights=False)
    return CaptionReader(names.label(name), opened.context_length, partial(token_counts, opened))


def source_readers(source: Source) -> list[CaptionReader]:
    """The tokenizers of a source's text encoders; none where it is a UNet alone.

    Raises:
        SourceError: a tokenizer cannot be read.
    """
    return [
        CaptionReader(f"{source.name} {part}", opened.model_max_length, partial(_counts, opened))
        for part in TOKENIZERS
        if part in source.contents.tokenizers
        for opened in [load_tokenizer(part, source)]
    ]


def _counts(opened: Any, texts: Sequence[str]) -> list[int]:
    return list(map(len, opened(list(texts), verbose=False).input_ids)) if texts else []


def caption_lengths(rows: Sequence[Row], readers: Sequence[CaptionReader]) -> list[CaptionLength]:
    """How long every caption is, those that are cut first, then the longest."""
    captions = [
        (row.id, language, caption)
        for row in rows
        for language in get_args(Language)
        if (caption := getattr(row, language))
    ]
    counts = [reader.counts([caption for *_, caption in captions]) for reader in readers]
    found = []
    for tokens, (id, language, caption) in zip(zip(*counts, strict=True), captions, strict=True):
        cut = tuple(one.name for one, count in zip(readers, tokens, strict=True) if count > one.limit)
        found.append(CaptionLength(id, language, caption, tokens, cut))
    return sorted(found, key=lambda one: (-len(one.cut_by), -max(one.tokens)))
