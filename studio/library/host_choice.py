"""Which source lends what is not merged, as a person writes it: `NAME`, or `vae=NAME` for one part.

A source may be one that is merged, or a file of its own. A file that only lends need not be a whole checkpoint: a VAE
alone may lend a VAE.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.architectures.keys import COMPONENTS
from pipelines.checkpoints.source_expression import parse_source
from pipelines.checkpoints.source_uri import absolute_uri, open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.errors import SourceError
from pipelines.recipes.lenders import PART_GROUPS, first_unlent
from pipelines.recipes.merged import lending_remedy


@dataclass(frozen=True)
class HostChoice:
    """Who lends what.

    Attributes:
        host: component, or `default`, to the name of a source, as a recipe has it.
        lenders: opened sources that only lend, by name.
    """

    host: dict[str, str]
    lenders: dict[str, Source]


def choose_hosts(written: Sequence[str], sources: Sequence[Source]) -> HostChoice:
    """Read who lends what.

    Args:
        written: `SOURCE` for all that is not merged, `PART=SOURCE` for a part; a source is the name of one that is
            merged, or whatever names a source.
        sources: those that are merged; the first lends where nothing is written.

    Raises:
        ValueError: neither a name nor a source, or a part that is written twice.
        SourceError: a source that cannot be opened.
    """
    host = {"default": sources[0].name}
    lenders: dict[str, Source] = {}
    taken: set[str] = set()
    for text in written:
        part, source = _split(text)
        named = _named(source, [*sources, *lenders.values()])
        if named not in sources:
            lenders[named.name] = named
        for one in PART_GROUPS.get(part, (part,)):
            if one in taken:
                raise ValueError(f"--host names {one} twice. Expected one source for each part.")
            taken.add(one)
            if part == one or named.lends(one):
                host[one] = named.name
    return HostChoice(host, lenders)


def refuse_poor_hosts(host: Mapping[str, str], sources: Mapping[str, Source]) -> None:
    """Refuse hosts that do not have, whole, what they are to lend.

    Args:
        host: component, or `default`, to the name of a source.
        sources: opened sources by name.

    Raises:
        SourceError: names the part, what is missing of it, and which of the sources can lend it.
    """
    if unlent := first_unlent(host, sources):
        part, problem = unlent
        raise SourceError("{problem} {remedy}", problem=problem, remedy=lending_remedy(part, sources.values()))


def _split(text: str) -> tuple[str, str]:
    """Return the part that is named, or `default`, and the source."""
    part, equals, source = text.partition("=")
    part = part.strip().lower().replace("-", "_")
    known = (*COMPONENTS, *PART_GROUPS)
    return (
        (part, source.strip()) if equals and part in known and not os.path.exists(text) else ("default", text.strip())
    )


def _named(text: str, sources: Sequence[Source]) -> Source:
    """Return the source of that name, or the one that is named by its place."""
    for source in sources:
        if text == source.name or absolute_uri(text) == source.uri:
            return source
    base = parse_source(text).base
    if not (Path(os.path.expanduser(base)).exists() or "/" in base):
        raise ValueError(
            f"--host {text!r}: expected one of the sources, {', '.join(source.name for source in sources)}, or a file "
            "or folder that lends."
        )
    return open_source_uri(text)
