"""Prompt sets: the captions that individuals are judged by, in Japanese and English.

A prompt set is a YAML file:

    format: m2n2-prompts
    version: 1
    name: emoji-train
    description: 64 captions over five categories
    prompts:
      - {id: turtle, category: animals, ja: カメ, en: turtle}
      - {id: "2615", category: food, ja: 温かい飲み物, en: hot beverage, reference: pictures/2615.png}

`ja` and `en` are twins: the same picture asked for in two languages; one of them may be left out. `reference` is a
picture to compare with, its path relative to the file.
"""

import hashlib
import json
import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from eval.errors import PromptSetError
from pipelines.errors import short, unreadable
from pipelines.untrusted import UnreadableDocument, read_yaml

from .problems import explain_invalid, first_names

FORMAT: Literal["m2n2-prompts"] = "m2n2-prompts"
VERSION: Literal[1] = 1

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)  # Japanese first, as every page shows them
NonBlankText = Annotated[str, StringConstraints(pattern=r"\S")]
_JAPANESE = ("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "CJK UNIFIED")  # how the names of its letters begin


def written_language(text: str) -> Language:
    """Return the language that a caption is taken to be in: Japanese where it has kana or kanji, else English."""
    return "ja" if any(unicodedata.name(letter, "").startswith(_JAPANESE) for letter in text) else "en"


class Prompt(BaseModel):
    """One thing to draw: a niche of the evolution, or a row of a report."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: NonBlankText
    category: NonBlankText
    ja: NonBlankText | None = None
    en: NonBlankText | None = None
    reference: NonBlankText | None = None

    @property
    def captions(self) -> "tuple[tuple[Language, str | None], ...]":
        """Its captions by language, Japanese first."""
        return ("ja", self.ja), ("en", self.en)

    @model_validator(mode="after")
    def _has_a_caption(self) -> "Prompt":
        if self.ja is None and self.en is None:
            raise ValueError(f"prompt {self.id!r} has neither `ja` nor `en`; write a caption in at least one language")
        return self


class PromptSet(BaseModel):
    """A named list of prompts with distinct ids; equal content has an equal `digest` on every machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["m2n2-prompts"] = FORMAT
    version: Literal[1] = VERSION
    name: NonBlankText
    description: str = ""
    prompts: tuple[Prompt, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_distinct_ids(self) -> "PromptSet":
        counts = Counter(prompt.id for prompt in self.prompts)
        repeated = sorted(id for id, count in counts.items() if count > 1)
        if repeated:
            raise ValueError(f"ids occur more than once: {first_names(repeated)}; give every prompt an id of its own")
        return self

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.prompts)

    @property
    def ids(self) -> list[str]:
        """The prompts' ids, in order."""
        return [prompt.id for prompt in self.prompts]

    @property
    def categories(self) -> list[str]:
        """One category per prompt, in order."""
        return [prompt.category for prompt in self.prompts]

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages that every prompt has a caption in; two of them make a bilingual report possible."""
        return tuple(language for language in LANGUAGES if not self._ids_without(language))

    @property
    def digest(self) -> str:
        """The SHA-256, in hex, of the set as canonical JSON: sorted keys, no spaces, UTF-8."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def captions_in(self, language: Language) -> list[str]:
        """Return the captions in one language, one per prompt, as written.

        Raises:
            PromptSetError: some prompt has no caption in this language.
        """
        missing = self._ids_without(language)
        if missing:
            raise PromptSetError(
                "prompt set {name!r}: expected a caption in {language!r} for every prompt, found none for "
                "{ids}; add `{language}:` to them or leave them out",
                name=self.name,
                language=language,
                ids=first_names(missing),
            )
        return [getattr(prompt, language) for prompt in self.prompts]

    def references(self, folder: Path) -> list[Path]:
        """Return the reference pictures' paths, one per prompt.

        Args:
            folder: where the prompt set's file lies; `reference` is relative to it.

        Raises:
            PromptSetError: some prompt names no reference, or its file is not there.
        """
        missing = [prompt.id for prompt in self.prompts if prompt.reference is None]
        if missing:
            raise PromptSetError(
                "prompt set {name!r}: expected a reference picture for every prompt, found none for "
                "{ids}; add `reference:` to them or score with text",
                name=self.name,
                ids=first_names(missing),
            )
        paths = [Path(folder) / prompt.reference for prompt in self.prompts if prompt.reference is not None]
        absent = [str(path) for path in paths if not os.path.isfile(path)]
        if absent:
            raise PromptSetError(
                "prompt set {name!r}: reference pictures not found: {files}; "
                "put them there, relative to the prompt set's file",
                name=self.name,
                files=first_names(absent),
            )
        return paths

    def with_absolute_references(self, folder: Path) -> "PromptSet":
        """Return the same set with absolute paths of reference pictures, so that it means the same in any folder.

        Args:
            folder: where the prompt set's file lies.
        """
        whole = [
            prompt.model_copy(update={"reference": str(Path(folder) / prompt.reference)})
            if prompt.reference
            else prompt
            for prompt in self.prompts
        ]
        return self.model_copy(update={"prompts": tuple(whole)})

    def subset(self, n: int, *, seed: int = 0) -> "PromptSet":
        """Choose `n` prompts by `seed`, spread evenly over the categories and in the set's own order.

        Categories take turns, so their counts differ by at most one until a category is used up.

        Raises:
            PromptSetError: `n` is below 1 or larger than the set.
        """
        if not 1 <= n <= len(self):
            raise PromptSetError(
                "prompt set {name!r}: expected a subset of 1 to {most} prompts, found {n}",
                name=self.name,
                most=len(self),
                n=n,
            )
        order = np.random.default_rng(seed).permutation(len(self))
        turns_taken: dict[str, int] = {}
        turns = []
        for index in order:
            category = self.prompts[index].category
            turns.append((turns_taken.get(category, 0), int(index)))
            turns_taken[category] = turns_taken.get(category, 0) + 1
        turns.sort(key=lambda turn: turn[0])  # stable: within a turn the seed's order decides
        chosen = sorted(index for _, index in turns[:n])
        return self.model_copy(update={"prompts": tuple(self.prompts[index] for index in chosen)})

    def _ids_without(self, language: Language) -> list[str]:
        return [prompt.id for prompt in self.prompts if getattr(prompt, language) is None]


def to_yaml(prompts: PromptSet) -> str:
    """Write a prompt set as the text of its file, a prompt a line."""
    content = prompts.model_dump(mode="json", exclude_none=True)
    if not prompts.description:
        del content["description"]
    return yaml.dump(
        content, Dumper=_Writer, allow_unicode=True, default_flow_style=None, sort_keys=False, width=float("inf")
    )


class _Writer(yaml.SafeDumper):  # the C library's is four times as fast, but writes emoji as numbers
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists as people do."""
        super().increase_indent(flow, False)


def load_prompts(path: str | Path) -> PromptSet:
    """Read and check a prompt set's YAML file.

    Raises:
        PromptSetError: the file is missing or not YAML, holds no prompts, repeats an id, has an unknown key, was
            written by a newer version, or a prompt has neither language.
    """
    path = Path(path)
    try:
        content = read_yaml(path)
    except OSError as error:
        raise PromptSetError(
            "prompt set {path}: expected a readable YAML file, found: {reason}; check the path",
            path=path,
            reason=error.strerror,
        ) from error
    except UnreadableDocument as error:
        raise PromptSetError(
            "prompt set {path}: expected YAML in UTF-8, found: {reason}; correct the file",
            path=path,
            reason=unreadable(error),
        ) from error
    _check_header(path, content)
    try:
        return PromptSet.model_validate(content)
    except ValidationError as error:
        raise PromptSetError("prompt set {path}: {problems}", path=path, problems=explain_invalid(error)) from error


def _check_header(path: Path, content: Any) -> None:
    """Refuse what no version 1 reader can judge, before any key is looked at."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = short(content.get("format")) if isinstance(content, dict) else repr(type(content).__name__)
        raise PromptSetError(
            "prompt set {path}: expected `format: {format}` at the top, found {found}; is this a prompt set?",
            path=path,
            format=FORMAT,
            found=found,
        )
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise PromptSetError(
            "prompt set {path}: expected version {expected}, found {found}; "
            "it was written for a newer m2n2-studio: update",
            path=path,
            expected=VERSION,
            found=version,
        )
    if not content.get("prompts"):
        raise PromptSetError(
            "prompt set {path}: expected at least one prompt, found none; add some under `prompts:`", path=path
        )
