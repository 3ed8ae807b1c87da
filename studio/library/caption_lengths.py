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
    """What reads captions: its name, its limit in tokens, and how it counts them, marks at both ends included."""

    name: str
    limit: int
    counts: Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class CaptionLength:
    """A caption of a prompt, and its length in tokens for each reader."""

    id: str
    language: Language
    caption: str
    tokens: tuple[int, ...]
    cut_by: tuple[str, ...]  # the readers that see only its beginning


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
        CaptionReader(f"{source.name} {part}", text_tokenizer.model_max_length, partial(_counts, text_tokenizer))
        for part in TOKENIZERS
        if part in source.contents.tokenizers
        for text_tokenizer in [load_tokenizer(part, source)]
    ]


def _counts(text_tokenizer: Any, texts: Sequence[str]) -> list[int]:
    return list(map(len, text_tokenizer(list(texts), verbose=False).input_ids)) if texts else []


def caption_lengths(rows: Sequence[PromptRow], readers: Sequence[CaptionReader]) -> list[CaptionLength]:
    """Measure every caption in tokens of each reader: those that are cut first, then the longest."""
    captions = [
        (row.id, language, caption)
        for row in rows
        for language in get_args(Language)
        if (caption := getattr(row, language))
    ]
    counts = [reader.counts([caption for *_, caption in captions]) for reader in readers]
    lengths = []
    for tokens, (id, language, caption) in zip(zip(*counts, strict=True), captions, strict=True):
        cut = tuple(one.name for one, count in zip(readers, tokens, strict=True) if count > one.limit)
        lengths.append(CaptionLength(id, language, caption, tokens, cut))
    return sorted(lengths, key=lambda one: (-len(one.cut_by), -max(one.tokens)))
