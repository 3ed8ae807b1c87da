"""Who lends what is not merged: a source that is merged, by its name, or a checkpoint of its own, by its place.

A run file says `host: {default: ja, vae: models/fix.safetensors}`. No name has a slash, and every whole place has
one: the two are told apart without a look at the disk.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.architectures.keys import COMPONENTS, TEXT_ENCODERS
from pipelines.checkpoints.source_expression import parse_source
from pipelines.checkpoints.source_uri import absolute_uri, default_name
from pipelines.errors import Phrase
from pipelines.storage.formats import PICKLE_SUFFIXES

if TYPE_CHECKING:  # what a run file says is read without torch
    from pipelines.checkpoints.sources import Source

_FILES = (".safetensors", *PICKLE_SUFFIXES)
_TOKENIZERS = ("tokenizer", "tokenizer_2")
#: Words for several parts at once: encoders go with the words that they were trained on.
PART_GROUPS = {"text_encoders": (*TEXT_ENCODERS, *_TOKENIZERS)}


def part_by_part(host: Mapping[str, str]) -> dict[str, str]:
    """Return a host with the parts of each group one by one; a part that is named by itself is who it says.

    Args:
        host: component, group of `PART_GROUPS` or `default`, to a name or a place.
    """
    spread: dict[str, str] = {}
    for key, lender in host.items():
        spread |= dict.fromkeys(
            (part for part in PART_GROUPS.get(key, (key,)) if part not in host or part == key), lender
        )
    return spread


def is_place(lender: str) -> bool:
    """Return whether a host names a checkpoint by its place, and not a source by its name."""
    return "/" in lender


def without_lenders(sources: Mapping[str, Source], host: Mapping[str, str]) -> dict[str, Source]:
    """Return the sources that do more than lend: all but those that the host names by their places."""
    lenders = {default_name(place) for place in host.values() if is_place(place)}
    return {name: source for name, source in sources.items() if name not in lenders}


def named_host(host: Mapping[str, str], *, first: str, merged: Collection[str]) -> dict[str, str]:
    """Return a host as a recipe has it, with names alone.

    Args:
        host: component, or `default`, to a name or a place.
        first: how the first of the merged sources is written. Where the default only lends, what is merged has the
            configuration of that source, and merged text encoders have its tokenizers.
        merged: the components that are merged.
    """
    named = {part: default_name(lender) if is_place(lender) else lender for part, lender in host.items()}
    if not is_place(host["default"]):
        return named
    words = _TOKENIZERS if set(TEXT_ENCODERS) & set(merged) else ()
    return {"default": named["default"], **dict.fromkeys((*merged, *words), default_name(first)), **named}


def placed_host(host: Mapping[str, str], sources: Sequence[str], folder: Path) -> dict[str, str]:
    """Return a host with whole places, each source called by its name however it was written.

    Args:
        host: component, or `default`, to a name, or to whatever names a checkpoint; a part of a host will do.
        sources: those that are merged, as they are written.
        folder: where relative places start.

    Raises:
        SourceError: a place that cannot be read as one.
    """
    names = {default_name(absolute_uri(source, folder)) for source in sources}
    if names.issuperset(host.values()):
        return dict(host)
    known = {parse_source(absolute_uri(source, folder)).uri: source for source in sources}

    def placed(lender: str) -> str:
        base = parse_source(lender, folder).base
        if lender in names or not (
            is_place(base) or base.lower().endswith(_FILES) or os.path.exists(folder / os.path.expanduser(base))
        ):
            return lender
        whole = absolute_uri(lender, folder)
        source = known.get(parse_source(whole).uri)
        return whole if source is None else default_name(absolute_uri(source, folder))

    return {part: placed(lender) for part, lender in host.items()}


def first_unlent(host: Mapping[str, str], sources: Mapping[str, Source]) -> tuple[str, Phrase] | None:
    """Find a component that its host cannot lend.

    Args:
        host: component, or `default`, to the name of a source.
        sources: opened, by name.

    Returns:
        The component, and the sentence `The host NAME has no ...`; `None` where all are there and whole.
    """
    for part in COMPONENTS:
        lender = sources[host.get(part, host["default"])]
        if problem := lender.problem(part):
            return part, Phrase("The host {source} {problem}.", source=lender.name, problem=problem)
    return None
