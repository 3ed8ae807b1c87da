"""The ledger: what each of several models permits in the six columns, what the whole does, and what clashes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.checkpoints.sources import Source
from studio.i18n import Lang, t

from .combination import Clash
from .inheritance import InheritedLicence, licence_clashes, source_licences
from .permissions import COLUMNS, Permissions, strictest


@dataclass(frozen=True)
class LicenceLedger:
    """Models, whose licences are to hold together.

    Attributes:
        entries: each with its licence.
        clashes: what stands against publishing a merge of them.
    """

    entries: Sequence[InheritedLicence]
    clashes: Sequence[Clash]

    @property
    def together(self) -> Permissions:
        """What a merge of all of them permits."""
        return strictest(entry.permissions for entry in self.entries)

    def sentences(self, lang: Lang) -> list[str]:
        """Say what stands against publishing a merge, a sentence for each clash."""
        return [clash.sentence(lang) for clash in self.clashes]

    def table(self, lang: Lang) -> list[list[str]]:
        """Return a row for each model and one for all of them: name, the six columns, and from what that is known."""
        rows = [
            [entry.name, *columns(lang, entry.permissions), t(lang, f"basis_{entry.basis}")] for entry in self.entries
        ]
        return [*rows, [t(lang, "together"), *columns(lang, self.together), ""]] if len(rows) > 1 else rows

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        sources = [
            {
                "name": entry.name,
                "licences": list(entry.terms),
                "author": entry.origin.author,
                "known_from": entry.basis,
                "permissions": asdict(entry.permissions),
                "asks_for_recipe": entry.asks_for_recipe,
            }
            for entry in self.entries
        ]
        return {"sources": sources, "together": asdict(self.together), "clashes": self.sentences("en")}


def headers(lang: Lang) -> list[str]:
    """Return the headers of `LicenceLedger.table`."""
    return [t(lang, "source_name"), *(t(lang, f"may_{column}") for column in COLUMNS), t(lang, "known_from")]


def columns(lang: Lang, permissions: Permissions) -> list[str]:
    """Say what is permitted in each of the six columns."""
    return [t(lang, f"permission_{getattr(permissions, column)}") for column in COLUMNS]


def by_column(lang: Lang, permissions: Permissions) -> list[tuple[str, str]]:
    """Return the six columns, each with its header and what is permitted."""
    return list(zip(headers(lang)[1:-1], columns(lang, permissions), strict=True))


def ledger_of_sources(sources: Iterable[Source]) -> LicenceLedger:
    """Open the ledger of sources that are to be merged, before anything is: as if all of them carried weight.

    Raises:
        SourceError: a source's LoRA is gone.
    """
    entries = [entry for source in sources for entry in source_licences(source)]
    return LicenceLedger(entries, licence_clashes(entries, changed=len(entries) > 1))
