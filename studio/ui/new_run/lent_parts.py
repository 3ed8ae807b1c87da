"""Parts that others than the host lend, as lines that people write into the form: `vae=models/fix.safetensors`."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.architectures.keys import COMPONENTS
from pipelines.recipes.lenders import PART_GROUPS, is_place, part_by_part
from studio.errors import ConfigError


def read_lent_parts(text: str) -> dict[str, str]:
    """Read the lines.

    Returns:
        Component, or `default` where a line names none, to whatever names its lender.

    Raises:
        ConfigError: a line names a part that there is not, no lender, or a part that an earlier one names.
    """
    lent: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        part, equals, lender = (one.strip() for one in line.replace("＝", "=").partition("="))
        part = part.lower().replace("-", "_") if equals else "default"
        if part not in ("default", *COMPONENTS, *PART_GROUPS) or (equals and not lender):
            raise ConfigError(
                "A part is taken by {line!r}. Expected PART=FILE, such as vae=models/fix.safetensors, with one of "
                "{parts}.",
                line=line,
                parts=", ".join((*COMPONENTS, *PART_GROUPS)),
            )
        if part in lent:
            raise ConfigError("{part} is taken from two places. Expected one line for each part.", part=part)
        lent[part] = lender if equals else line
    return part_by_part(lent)


def write_lent_parts(host: Mapping[str, str]) -> str:
    """Write a host as lines, but for a default that is one of the sources: the form has a field for that."""
    lines = [f"{part}={lender}" for part, lender in host.items() if part != "default" or is_place(lender)]
    return "\n".join(lines)
