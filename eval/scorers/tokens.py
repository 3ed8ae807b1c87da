"""How a scorer cuts captions into tokens: its tokenizer, what that counts, and what does not fit.

open_clip cuts the end off a long caption without a word, so that two captions may score alike; count before a run.
"""

from collections.abc import Sequence
from typing import Any

import open_clip
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, get_clean_fn

from eval.errors import ScorerError

from .model_files import Files, locate


def open_tokenizer(files: Files) -> Any:
    """open_clip's tokenizer of a scorer: called with captions, gives token numbers, int64 [n, context_length]."""
    if files.tokenizer is None:
        return open_clip.get_tokenizer(files.architecture)  # its own byte pairs
    tokenizer = HFTokenizer(
        str(files.tokenizer),
        context_length=files.text_cfg.get("context_length", DEFAULT_CONTEXT_LENGTH),
        tokenizer_mode=files.text_cfg.get("tokenizer_mode"),
        **(files.text_cfg.get("tokenizer_kwargs") or {}),  # named keys only; see `checked_config`
        trust_remote_code=False,
    )
    tokenizer(["a"])  # one that cannot pad fails here
    return tokenizer


def cleaning(tokenizer: Any) -> str:
    """open_clip's word for what is done to a caption first.

    "whitespace" mends the encoding, folds full-width Latin and half-width kana, and joins blanks; "lower" also writes
    small letters; "canonicalize" also drops ASCII punctuation.
    """
    return next(word for word in ("whitespace", "lower", "canonicalize") if get_clean_fn(word) is tokenizer.clean_fn)


def token_counts(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of captions before truncation, begin and end marks included."""
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:  # open_clip's own byte pairs: begin and end are added around `encode`
        return [len(tokenizer.encode(text)) + 2 for text in texts]
    cleaned = [tokenizer.clean_fn(text) for text in texts]
    return list(map(len, inner(cleaned, truncation=False, verbose=False).input_ids)) if cleaned else []


def truncated_by(name: str, texts: Sequence[str]) -> list[str]:
    """The captions that a scorer would cut short, without opening its model; makes sure that its files are here.

    Raises:
        ScorerError: as `locate`, or its tokenizer cannot be opened.
    """
    tokenizer = tokenizer_of(name)
    counts = token_counts(tokenizer, texts)
    return [text for text, count in zip(texts, counts, strict=True) if count > tokenizer.context_length]


def tokenizer_of(name: str, *, weights: bool = True) -> Any:
    """A scorer's tokenizer, without opening its model; see `open_tokenizer`.

    Args:
        name: the scorer's.
        weights: make sure that these are here too.

    Raises:
        ScorerError: as `locate`, or its tokenizer cannot be opened.
    """
    files = locate(name, weights=weights)
    try:
        return open_tokenizer(files)
    except Exception as error:  # transformers, tokenizers: whatever they raise, a person needs one line
        raise ScorerError(
            "scorer {name!r}: expected a tokenizer that open_clip can use, found: {error}; check the folder's files",
            name=name,
            error=error,
        ) from error
