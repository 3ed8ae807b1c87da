"""Settings as plain values, before they are a frozen object: some replaced by others, and what of them does not fit."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pipelines.errors import Phrase, short, validator_phrase

from .errors import ConfigError


def with_changes(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with others in their place; `breeding.beta` is a field within another.

    Raises:
        ConfigError: a field that is to hold others does not.
    """
    changed = copy.deepcopy(dict(fields))
    for name, value in changes.items():
        *within, last = name.split(".")
        inner = changed
        for part in within:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ConfigError("{name} cannot be changed: {part} holds no fields.", name=name, part=part)
        inner[last] = value
    return changed


def refused(error: ValidationError, where: str) -> ConfigError:
    """The first thing that does not fit, in a sentence."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or Phrase("the whole")
    reason = Phrase("unknown key") if first["type"] == "extra_forbidden" else validator_phrase(first)
    value = first["input"]
    found = Phrase("{n} values", n=len(value)) if isinstance(value, Mapping | list | tuple) else short(value)
    return ConfigError(
        "{where}, at {place}: {reason}. Found {found}.", where=where, place=place, reason=reason, found=found
    )
