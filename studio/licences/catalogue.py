"""The licences that are known, under the names that people write."""

from __future__ import annotations

import re

# As the hub writes them: those of SDXL checkpoints and LoRAs. The second: whether the hub knows it by that name.
KNOWN = {
    "apache-2.0": True,
    "mit": True,
    "cc0-1.0": True,
    "cc-by-4.0": True,
    "cc-by-sa-4.0": True,
    "cc-by-nc-4.0": True,
    "cc-by-nc-sa-4.0": True,
    "openrail++": True,
    "creativeml-openrail-m": True,
    "faipl-1.0-sd": False,
    "stabilityai-ai-community": False,
    "sai-nc-community": False,
}


_SPELLINGS = {  # as headers and cards spell them, without spaces and the word licence
    "creativeml-open-rail++-m": "openrail++",
    "open-rail++-m": "openrail++",
    "openrail++-m": "openrail++",
    "creativeml-openrail++-m": "openrail++",
    "creativeml-open-rail-m": "creativeml-openrail-m",
    "openrail-m": "creativeml-openrail-m",
    "apache": "apache-2.0",
    "fair-ai-public-1.0-sd": "faipl-1.0-sd",
    "stability-ai-community": "stabilityai-ai-community",
    "stabilityai-community": "stabilityai-ai-community",
    "stability-ai-non-commercial-research-community": "sai-nc-community",
    "stabilityai-nc-research-community": "sai-nc-community",
}


_LINKS = {  # where the text of a licence stands, for those that ask for a link to it
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "mit": "https://opensource.org/license/mit",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-nc-sa-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "openrail++": "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/main/LICENSE.md",
    "faipl-1.0-sd": "https://freedevproject.org/faipl-1.0-sd/",
}


def normal(licence: str) -> str:
    """A licence's name as the hub writes it, whatever a card or a header calls it."""
    name = re.sub(r"\b(the|licen[sc]e|version|agreement)\b", " ", licence.lower())
    name = re.sub(r"[\s_()-]+", "-", name).strip("-.")
    return _SPELLINGS.get(name, name)
