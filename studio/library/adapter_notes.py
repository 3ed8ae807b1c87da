"""What of an adapter is not used, and how to use it, in words: of a source by itself, and of a merge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from pipelines.checkpoints.adapted import applied_adapters
from pipelines.checkpoints.sources import Source
from pipelines.errors import Phrase
from studio.i18n import Lang, phrase, worded


@dataclass(frozen=True)
class AdapterNote:
    """One thing that somebody should know about an adapter, or about keys of a source that belong to nothing.

    Attributes:
        kind: which of them it is.
        source: the source that it is on.
        adapter: its file's name; empty where the note is about the source.
        what: the components or keys that the note is about.
        lender: whose components are used instead, where it is about that.
    """

    kind: Literal["absent", "ignored", "strange", "unused"]
    source: str
    adapter: str
    what: tuple[str, ...]
    lender: str = ""

    def text(self, lang: Lang) -> str:
        """Write the note as a sentence."""
        return worded(lang, self.phrase())

    def phrase(self) -> Phrase:
        """The note in no language yet."""
        return phrase(
            f"adapter_{self.kind}",
            source=self.source,
            adapter=self.adapter,
            what=", ".join(self.what[:4]),
            lender=self.lender,
            count=len(self.what),
        )


def source_notes(source: Source) -> list[AdapterNote]:
    """Note what of a source is not used: keys that belong to nothing, and what of its adapters changes no weights."""
    notes = [AdapterNote("strange", source.name, "", source.strange_keys)] if source.strange_keys else []
    for applied in applied_adapters(source.components.values()):
        name = applied.path.name
        if applied.adapter.absent:
            notes.append(AdapterNote("absent", source.name, name, applied.adapter.absent))
        if applied.adapter.ignored:
            notes.append(AdapterNote("ignored", source.name, name, applied.adapter.ignored))
    return notes


def merge_notes(sources: Iterable[Source], merged: Collection[str], lender: Callable[[str], str]) -> list[AdapterNote]:
    """Note what of the sources' adapters a merge does not use.

    Args:
        sources: those whose weights are merged.
        merged: the components that are merged.
        lender: the name of the source that lends a component that is not.

    Returns:
        Notes for each adapter that changes components which another source lends, and those of `source_notes`.
    """
    notes = []
    for source in sources:
        for applied in applied_adapters(source.components.values()):
            unused: dict[str, list[str]] = {}
            for part in applied.parts:
                if part not in merged and lender(part) != source.name:
                    unused.setdefault(lender(part), []).append(part)
            notes += [
                AdapterNote("unused", source.name, applied.path.name, tuple(parts), by) for by, parts in unused.items()
            ]
        notes += source_notes(source)
    return notes
