"""What a licence is called: the hub's name for whatever a card or a header writes, and the row that it means."""

from __future__ import annotations

import re

from .catalogue import KNOWN_LICENCES, LICENCES, Licence, Restriction
from .permissions import Permission, Permissions

_SPELLINGS = {spelling: row.name for row in LICENCES for spelling in row.spellings}


def hub_name(written: str) -> str:
    """Translate a licence's name, whatever a card or a header calls it, to the one the hub writes."""
    name = re.sub(r"\b(the|licen[sc]e|version|agreement)\b", " ", written.lower())
    name = re.sub(r"[\s_()-]+", "-", name).strip("-.")
    return _SPELLINGS.get(name, name)


def licence_of_model(name: str, model: str) -> str:
    """Return the licence that holds for a model: some name a well-known one, and ask for more on their card.

    Args:
        name: the licence that the model names, as the hub writes it; empty where it names none.
        model: its repository, or what it is called.
    """
    called = model.lower()
    for row in LICENCES:
        if name in row.named_there and any(word in called for word in row.models):
            return row.name
    return name


def known_or_guessed(name: str) -> Licence:
    """Return the row of a licence; of one that is not known, a row that knows what its name says.

    Args:
        name: as the hub writes it; empty for one that is not stated.
    """
    return KNOWN_LICENCES.get(name) or _guessed(name)


def licence_restriction(name: str) -> Restriction | None:
    """Return what a licence forbids that a publisher should know; of an unknown one, what its name says.

    Args:
        name: as the hub writes it.
    """
    return known_or_guessed(name).forbids


def _guessed(name: str) -> Licence:
    unchanged, non_commercial, same_terms = (
        _says(name, "nd", "no-?derivatives?"),
        _says(name, "nc", "non-?commercial|research"),
        _says(name, "sa", "share-?alike"),
    )
    commercial: Permission = "forbidden" if non_commercial else "unknown"
    return Licence(
        name,
        Permissions(
            use="unknown",
            commercial_use=commercial,
            without_credit="unknown",
            sharing_merges="forbidden" if unchanged else "condition" if same_terms else "unknown",
            other_terms="forbidden" if same_terms or unchanged else "unknown",
            pictures_and_service=commercial,
        ),
        passes_on=frozenset({"non_commercial"}) if non_commercial else frozenset(),
        on_hub=False,
    )


def _says(name: str, mark: str, words: str) -> bool:
    return mark in name.split("-") or re.search(words, name) is not None
