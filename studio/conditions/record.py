"""What a run depends on, as it is now: the bytes of its sources and files, programs, machine, threads."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from pipelines.checkpoints.contents import TOKENIZERS
from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe
from studio.environment import describe_machine, package_versions
from studio.runs.store import C, RunStore


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordedFile(_Frozen):
    """The stamp of a file of weights, see `FileStamp`: what is said of it where its bytes are others later."""

    path: str
    inode: int
    size: int
    modified: int
    changed: int


class RecordedSource(_Frozen):
    """A source as a run read it.

    Attributes:
        weights: SHA-256 by component.
        documents: SHA-256 of its configurations and vocabularies; empty where nothing is known of them.
        files: those that its weights lie in.
    """

    weights: dict[str, str]
    documents: str = ""
    files: tuple[RecordedFile, ...] = ()


class RunConditions(_Frozen):
    """What a run depends on.

    Attributes:
        sources: by name.
        files: SHA-256 of what else it reads, by what the run calls it and the file's name: a run moves as a whole.
        versions: of the packages that compute, by name.
        machine: `device`, `processor` and its `instructions`.
        threads: how many torch sums with.
        complete: False of a run that began before all this was recorded: its recipes tell the weights, and no more.
    """

    sources: dict[str, RecordedSource]
    files: dict[str, str] = {}
    versions: dict[str, str] = {}
    machine: dict[str, str] = {}
    threads: int | None = None
    complete: bool = True


def conditions_now(sources: Mapping[str, Source], files: Mapping[str, Path], *, reread: bool = False) -> RunConditions:
    """Read what a run depends on. A hash that is known of a file is read again where any part of its stamp changed.

    Args:
        sources: opened, by name.
        files: what else the run reads, by what the run calls it; those that are not there are left out.
        reread: whether every byte of the sources is read again, whatever is known of them.

    Raises:
        SourceError: weights that are not finite, or that change while they are read.
    """
    machine = describe_machine()
    return RunConditions(
        sources={name: recorded_source(source, reread=reread) for name, source in sources.items()},
        files={f"{name} ({path.name})": _sha256(path) for name, path in files.items() if path.is_file()},
        versions=package_versions(),
        machine={
            "device": machine["device"],
            "processor": machine["processor"],
            "instructions": torch.backends.cpu.get_cpu_capability(),
        },
        threads=torch.get_num_threads(),
    )


def conditions_then(store: RunStore[C]) -> RunConditions | None:
    """What a run depended on when it began; None where nobody is evaluated yet, so that it may begin anyhow."""
    first = next(iter(store.individuals()), None)
    if first is None:
        return None
    kept = store.state.conditions
    return _of_recipe(first.recipe) if kept is None else RunConditions.model_validate(kept)


@contextlib.contextmanager
def kept_threads(store: RunStore[C]) -> Iterator[None]:
    """Have torch sum with as many threads as when the run began, while inside: another number rounds otherwise."""
    before, then = torch.get_num_threads(), conditions_then(store)
    torch.set_num_threads((then and then.threads) or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _of_recipe(recipe: Recipe) -> RunConditions:
    sources = {named.name: RecordedSource(weights=dict(named.sha256)) for named in recipe.sources}
    return RunConditions(sources=sources, complete=False)


def recorded_source(source: Source, *, reread: bool = False) -> RecordedSource:
    """Read a source as a run records it; `reread` and errors are those of `conditions_now`."""
    parts = source.components
    files = dict.fromkeys(file.stamp for part in parts.values() for file in part.files)
    return RecordedSource(
        weights={name: part.compute_sha256(reread=reread) for name, part in sorted(parts.items())},
        documents=_documents(source),
        files=tuple(RecordedFile(**asdict(stamp)) for stamp in files),
    )


def _documents(source: Source) -> str:
    contents = source.contents
    vocabularies = {part: source.vocabulary_sha256(part) for part in TOKENIZERS if part in contents.tokenizers}
    configs = {part: dict(config) for part, config in contents.configs.items()}
    return hashlib.sha256(json.dumps([configs, vocabularies], sort_keys=True, default=str).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
