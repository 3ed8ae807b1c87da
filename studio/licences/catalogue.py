"""The licences that are known, a row each: what people call it, where its text stands, what it forbids.

What a licence asks is in the locales, as `duty_NAME`. What is said here is a reminder of what to look for in its text,
and no advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Restriction = Literal["non_commercial", "no_derivatives"]


@dataclass(frozen=True)
class Licence:
    """A licence of SDXL checkpoints or LoRAs.

    Attributes:
        name: as the hub writes it.
        spellings: other names, as headers and cards spell them, without spaces and the word licence: see `hub_name`.
        link: where its text stands, for those that ask for a link to it.
        on_hub: whether the hub knows it by its name.
        forbids: why it should be read before anything is published, if it should.
    """

    name: str
    spellings: tuple[str, ...] = ()
    link: str | None = None
    on_hub: bool = True
    forbids: Restriction | None = None

    @property
    def duty_key(self) -> str:
        """Key of the words that say what it asks."""
        return f"duty_{self.name}"


LICENCES = (
    Licence("apache-2.0", spellings=("apache",), link="https://www.apache.org/licenses/LICENSE-2.0"),
    Licence("mit", link="https://opensource.org/license/mit"),
    Licence("cc0-1.0", link="https://creativecommons.org/publicdomain/zero/1.0/"),
    Licence("cc-by-4.0", link="https://creativecommons.org/licenses/by/4.0/"),
    Licence("cc-by-sa-4.0", link="https://creativecommons.org/licenses/by-sa/4.0/"),
    Licence("cc-by-nc-4.0", link="https://creativecommons.org/licenses/by-nc/4.0/", forbids="non_commercial"),
    Licence("cc-by-nc-sa-4.0", link="https://creativecommons.org/licenses/by-nc-sa/4.0/", forbids="non_commercial"),
    Licence(
        "openrail++",
        spellings=(
            "creativeml-open-rail++-m",
            "open-rail++-m",
            "openrail++-m",
            "creativeml-openrail++-m",
        ),
        link="https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/main/LICENSE.md",
    ),
    Licence("creativeml-openrail-m", spellings=("creativeml-open-rail-m", "openrail-m")),
    Licence(
        "faipl-1.0-sd",
        spellings=("fair-ai-public-1.0-sd",),
        link="https://freedevproject.org/faipl-1.0-sd/",
        on_hub=False,
    ),
    Licence(
        "stabilityai-ai-community",
        spellings=("stability-ai-community", "stabilityai-community"),
        on_hub=False,
    ),
    Licence(
        "sai-nc-community",
        spellings=("stability-ai-non-commercial-research-community", "stabilityai-nc-research-community"),
        on_hub=False,
        forbids="non_commercial",
    ),
)
KNOWN_LICENCES: Mapping[str, Licence] = {row.name: row for row in LICENCES}
_SPELLINGS = {spelling: row.name for row in LICENCES for spelling in row.spellings}


def hub_name(written: str) -> str:
    """Translate a licence's name, whatever a card or a header calls it, to the one the hub writes."""
    name = re.sub(r"\b(the|licen[sc]e|version|agreement)\b", " ", written.lower())
    name = re.sub(r"[\s_()-]+", "-", name).strip("-.")
    return _SPELLINGS.get(name, name)


def licence_restriction(name: str) -> Restriction | None:
    """Return what a licence forbids that a publisher should know; of an unknown one, what its name says.

    Args:
        name: as the hub writes it.
    """
    return KNOWN_LICENCES[name].forbids if name in KNOWN_LICENCES else restriction_in_name(name)


def restriction_in_name(name: str) -> Restriction | None:
    """Return what a licence's name alone says that it forbids."""
    if _says(name, "nd", "no-?derivatives?"):
        return "no_derivatives"
    return "non_commercial" if _says(name, "nc", "non-?commercial|research") else None


def _says(name: str, mark: str, words: str) -> bool:
    return mark in name.split("-") or re.search(words, name) is not None
