"""What a run reads beside its own folder, its prompt sets and its sources: opened where a run is begun or shown."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.prompts.prompt_set import PromptSet, load_prompts
from pipelines.errors import SourceError
from pipelines.recipes.lenders import first_unlent, is_place
from studio.errors import ConfigError

from .config import RESERVED, RunConfig

if TYPE_CHECKING:  # a run is shown without torch
    from pipelines.checkpoints.sources import Source


@dataclass(frozen=True)
class RunPrompts:
    """The prompt sets of a run, read when they are asked for; an unchanged file is read once by a process.

    Reading raises `PromptSetError` where a set cannot be read.
    """

    config: RunConfig

    @property
    def niches(self) -> PromptSet:
        """The prompts whose captions individuals compete for."""
        return load_cached_prompts(self.config.prompts)

    @property
    def held_out(self) -> PromptSet:
        """The prompts that only report."""
        return load_cached_prompts(self.config.held_out)


def load_cached_prompts(path: str | Path) -> PromptSet:
    """Load a prompt set, which stays in memory until its file changes.

    Raises:
        PromptSetError: it cannot be read.
    """
    path = Path(path)
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return load_prompts(path)  # which says what is wrong with it
    return _read(path, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int, size: int) -> PromptSet:
    """A set by its file as it stands: `changed`, in nanoseconds, and `size` tell one state of a file from another."""
    return load_prompts(path)


def open_run_sources(config: RunConfig) -> dict[str, Source]:
    """Open the sources, by name, and after them what only lends; refuse what cannot be merged.

    Raises:
        SourceError: a source cannot be opened or merged with the others, or a host lacks what it is to lend.
        ConfigError: the host, the base of task arithmetic, or what a chromosome is frozen to is not among them; what is
            bred is to be lent; or their text encoders cannot be merged as asked.
    """
    from pipelines.checkpoints.source_uri import open_source_uri
    from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict

    bred = [open_source_uri(uri) for uri in config.sources]
    lenders = [open_source_uri(place) for place in dict.fromkeys(filter(is_place, config.host.values()))]
    names = [source.name for source in bred]
    check_mergeable([*bred, *lenders], weighted=names)
    by_name = {source.name: source for source in (*bred, *lenders)}
    for name in RESERVED:
        if name in by_name:
            raise ConfigError(
                "A source is called {name!r}, which reports use for a row of their own; rename its folder.", name=name
            )
    for part, lender in config.host.items():
        if not is_place(lender) and lender not in names:
            raise ConfigError(
                "The host {lender!r} is not among the sources {sources}.", lender=lender, sources=", ".join(names)
            )
        if is_place(lender) and part in config.merged_components:
            raise ConfigError(
                "The host takes {part} from {lender}, which only lends, but {part} is bred here. Expected one of the "
                "sources, {sources}; or leave {part} out of the host.",
                part=part,
                lender=lender,
                sources=", ".join(names),
            )
    for chromosome, name in config.frozen.items():
        if name not in names:
            raise ConfigError(
                "frozen takes {chromosome} from {name!r}. Expected one of {sources}.",
                chromosome=chromosome,
                name=name,
                sources=", ".join(names),
            )
    base = config.breeding.task_arithmetic
    if base not in (None, *names):
        raise ConfigError(
            "task_arithmetic names {base!r}. Expected one of the sources {sources}.",
            base=base,
            sources=", ".join(names),
        )
    if config.merge_text_encoders and (reason := text_encoder_conflict(bred)):
        raise ConfigError("The text encoders cannot be merged: {reason} Leave merge_text_encoders off.", reason=reason)
    if unlent := first_unlent(config.host_names, by_name):
        part, problem = unlent
        able = next((name for name, source in by_name.items() if source.lends(part)), "FILE")
        raise SourceError(
            "{problem} Name another source for it in the run file's host, such as {example}.",
            problem=problem,
            example=f"{{{part}: {able}}}",
        )
    return by_name
