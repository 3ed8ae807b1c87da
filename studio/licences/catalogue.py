"""The licences that are known, a row each: what people call it, where its text stands, and what it permits.

What is permitted stands in the six columns in which the trade lists models. A row is a reminder of what to look for in
a licence's text, and no advice. What a licence asks, in words, is in the locales, as `duty_NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .permissions import PassedOnTerm, Permission, Permissions

Restriction = Literal["non_commercial", "no_derivatives"]


@dataclass(frozen=True)
class Licence:
    """A licence of SDXL checkpoints or LoRAs.

    Attributes:
        name: as the hub writes it.
        permissions: what it permits. Where it forbids other terms on merges, merges bear this very licence.
        passes_on: what a merge must keep asking of people.
        spellings: other names, as headers and cards spell them, without spaces and the word licence: see `hub_name`.
        link: where its text stands, for those that ask for a link to it.
        on_hub: whether the hub knows it by its name.
        asks_for_recipe: whether who publishes a merge is to publish how it was made.
        examples: models under it, by their own names.
        models: words in the repository or the name of models that are under it although they name another licence.
        named_there: the licences that such models name; an empty one stands for none.
        civitai_bases: base models that are under it, as Civitai calls them, in small letters.
    """

    name: str
    permissions: Permissions
    passes_on: frozenset[PassedOnTerm] = frozenset()
    spellings: tuple[str, ...] = ()
    link: str | None = None
    on_hub: bool = True
    asks_for_recipe: bool = False
    examples: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    named_there: tuple[str, ...] = ()
    civitai_bases: tuple[str, ...] = ()

    @property
    def duty_key(self) -> str:
        """Key of the words that say what it asks."""
        return f"duty_{self.name}"

    @property
    def forbids(self) -> Restriction | None:
        """Why it should be read before anything is published, if it should."""
        if self.permissions.sharing_merges == "forbidden":
            return "no_derivatives"
        return "non_commercial" if self.permissions.commercial_use == "forbidden" else None

    @property
    def merges_bear_it(self) -> bool:
        """Whether a merge that is published must bear this very licence."""
        return self.permissions.other_terms == "forbidden"


_CREATIVE_COMMONS = "https://creativecommons.org"


def _creative_commons(name: str) -> Licence:
    """Make the row of one of Creative Commons' six licences from the letters in its name."""
    letters = name.removeprefix("cc-").removesuffix("-4.0").split("-")
    non_commercial, same_terms, unchanged = (letter in letters for letter in ("nc", "sa", "nd"))
    commercial: Permission = "forbidden" if non_commercial else "allowed"
    return Licence(
        name,
        Permissions(
            use="allowed",
            commercial_use=commercial,
            without_credit="forbidden",
            sharing_merges="forbidden" if unchanged else "condition" if same_terms else "allowed",
            other_terms="forbidden" if same_terms or unchanged else "condition" if non_commercial else "allowed",
            pictures_and_service=commercial,
        ),
        passes_on=frozenset({"non_commercial"}) if non_commercial else frozenset(),
        link=f"{_CREATIVE_COMMONS}/licenses/{'-'.join(letters)}/4.0/",
    )


_KEEP_NOTICES = Permissions(
    use="allowed",
    commercial_use="allowed",
    without_credit="condition",
    sharing_merges="allowed",
    other_terms="allowed",
    pictures_and_service="allowed",
)
_OPEN_RAIL = Permissions(
    use="condition",
    commercial_use="allowed",
    without_credit="condition",
    sharing_merges="condition",
    other_terms="condition",
    pictures_and_service="allowed",
)
_FAIR_AI = Permissions(
    use="condition",
    commercial_use="allowed",
    without_credit="condition",
    sharing_merges="condition",
    other_terms="forbidden",
    pictures_and_service="condition",
)

LICENCES = (
    Licence("apache-2.0", _KEEP_NOTICES, spellings=("apache",), link="https://www.apache.org/licenses/LICENSE-2.0"),
    Licence("mit", _KEEP_NOTICES, link="https://opensource.org/license/mit"),
    Licence(
        "cc0-1.0",
        Permissions(
            use="allowed",
            commercial_use="allowed",
            without_credit="allowed",
            sharing_merges="allowed",
            other_terms="allowed",
            pictures_and_service="allowed",
        ),
        link=f"{_CREATIVE_COMMONS}/publicdomain/zero/1.0/",
    ),
    *map(
        _creative_commons,
        ("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0"),
    ),
    Licence(
        "openrail++",
        _OPEN_RAIL,
        passes_on=frozenset({"use_restrictions"}),
        spellings=(
            "creativeml-open-rail++-m",
            "open-rail++-m",
            "openrail++-m",
            "creativeml-openrail++-m",
        ),
        link="https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/main/LICENSE.md",
        examples=("SDXL 1.0", "SDXL-Lightning", "Animagine XL 4.0"),
        civitai_bases=("sdxl 1.0", "sdxl lightning"),
    ),
    Licence(
        "creativeml-openrail-m",
        _OPEN_RAIL,
        passes_on=frozenset({"use_restrictions"}),
        spellings=("creativeml-open-rail-m", "openrail-m"),
        examples=("Juggernaut XL",),
    ),
    Licence(
        "faipl-1.0-sd",
        _FAIR_AI,
        passes_on=frozenset({"use_restrictions"}),
        spellings=("fair-ai-public-1.0-sd",),
        link="https://freedevproject.org/faipl-1.0-sd/",
        on_hub=False,
        asks_for_recipe=True,
        examples=("Animagine XL 3.1", "Illustrious XL 0.1"),
        civitai_bases=("illustrious",),
    ),
    Licence(
        "faipl-1.0-sd-noobai",
        Permissions(
            use="condition",
            commercial_use="forbidden",
            without_credit="condition",
            sharing_merges="condition",
            other_terms="forbidden",
            pictures_and_service="forbidden",
        ),
        passes_on=frozenset({"use_restrictions", "non_commercial"}),
        spellings=("noobai-xl", "noob-ai-xl-model"),
        link="https://huggingface.co/Laxhar/noobai-XL-1.1",
        on_hub=False,
        asks_for_recipe=True,
        examples=("NoobAI-XL",),
        models=("noobai", "noob-ai", "noob_ai"),
        named_there=("faipl-1.0-sd", "other", ""),
        civitai_bases=("noobai",),
    ),
    Licence(
        "stabilityai-ai-community",
        Permissions(
            use="allowed",
            commercial_use="condition",
            without_credit="forbidden",
            sharing_merges="condition",
            other_terms="condition",
            pictures_and_service="condition",
        ),
        passes_on=frozenset({"revenue_limit"}),
        spellings=("stability-ai-community", "stabilityai-community"),
        link="https://stability.ai/community-license-agreement",
        on_hub=False,
        examples=("SDXL-Turbo",),
        civitai_bases=("sdxl turbo",),
    ),
    Licence(
        "sai-nc-community",
        Permissions(
            use="condition",
            commercial_use="forbidden",
            without_credit="forbidden",
            sharing_merges="condition",
            other_terms="condition",
            pictures_and_service="forbidden",
        ),
        passes_on=frozenset({"non_commercial", "own_agreement"}),
        spellings=("stability-ai-non-commercial-research-community", "stabilityai-nc-research-community"),
        on_hub=False,
    ),
    Licence(
        "japanese-stable-diffusion-xl",
        Permissions(
            use="condition",
            commercial_use="condition",
            without_credit="condition",
            sharing_merges="condition",
            other_terms="condition",
            pictures_and_service="condition",
        ),
        passes_on=frozenset({"commercial_agreement"}),
        spellings=("japanese-sdxl", "stability-ai-japanese-stable-diffusion-xl"),
        link="https://huggingface.co/stabilityai/japanese-stable-diffusion-xl",
        on_hub=False,
        examples=("Japanese Stable Diffusion XL",),
        models=("japanese-stable-diffusion-xl",),
        named_there=("other", ""),
    ),
    Licence(
        "circlestone-labs-non-commercial",
        Permissions(
            use="allowed",
            commercial_use="forbidden",
            without_credit="forbidden",
            sharing_merges="condition",
            other_terms="forbidden",
            pictures_and_service="condition",
        ),
        passes_on=frozenset({"non_commercial"}),
        spellings=(
            "circlestone-non-commercial",
            "circlestone-labs-non-commercial-v1.0",
            "circlestone-labs-non-commercial-v1.2",
        ),
        link="https://huggingface.co/circlestone-labs/Anima/blob/main/LICENSE.md",
        on_hub=False,
        examples=("Anima",),
        civitai_bases=("anima",),
    ),
)
KNOWN_LICENCES: Mapping[str, Licence] = {row.name: row for row in LICENCES}
