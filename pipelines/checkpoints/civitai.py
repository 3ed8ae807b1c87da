"""What Civitai says of a file, as download tools leave it beside the file: its author's flags, and the base model.

`NAME.civitai.info`, `NAME.metadata.json` and `NAME.cm-info.json` hold Civitai's answers, each tool's in another
nesting; the keys of Civitai are looked for at any depth that tools use. Flags are claims: many are what the form had
ticked already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.untrusted import UnreadableDocument, read_json

ENDINGS = (".civitai.info", ".metadata.json", ".cm-info.json")
_LONGEST = 1 << 20  # bytes
_NESTS = ("civitai", "model", "Civitai", "ModelVersion")  # where tools put Civitai's own objects
_DEPTH = 3


@dataclass(frozen=True)
class CivitaiClaims:
    """What the page of a model on Civitai says of it; `None` for what is not said.

    Attributes:
        no_credit: whether it may be used without naming its author.
        commercial_use: what may be sold: `Image`, `RentCivit`, `Rent`, `Sell`; empty for nothing.
        derivatives: whether merges may be shared.
        different_licence: whether merges may have other permissions.
        creator: the author's name there.
        base_model: such as `SDXL 1.0`, `Illustrious` or `NoobAI`.
    """

    no_credit: bool | None = None
    commercial_use: frozenset[str] | None = None
    derivatives: bool | None = None
    different_licence: bool | None = None
    creator: str | None = None
    base_model: str | None = None


def civitai_claims(path: Path) -> CivitaiClaims | None:
    """Read what lies beside a file; `None` where nothing does, or nothing that can be read."""
    for ending in ENDINGS:
        beside = path.with_name(f"{path.stem}{ending}")
        try:
            if beside.is_symlink() or not 0 < beside.stat().st_size <= _LONGEST:
                continue
            content = read_json(beside)
        except (OSError, UnreadableDocument):
            continue
        objects = list(_objects(content))
        claims = CivitaiClaims(
            no_credit=_flag(objects, "allowNoCredit"),
            commercial_use=_sold(_first(objects, "allowCommercialUse")),
            derivatives=_flag(objects, "allowDerivatives"),
            different_licence=_flag(objects, "allowDifferentLicense"),
            creator=_creator(objects),
            base_model=_text(_first(objects, "baseModel") or _first(objects, "base_model")),
        )
        if claims != CivitaiClaims():
            return claims
    return None


def _objects(content: object, depth: int = _DEPTH) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, dict):
        yield content
        if depth:
            for nest in _NESTS:
                yield from _objects(content.get(nest), depth - 1)


def _first(objects: list[Mapping[str, Any]], key: str) -> object:
    return next((one[key] for one in objects if one.get(key) is not None), None)


def _flag(objects: list[Mapping[str, Any]], key: str) -> bool | None:
    value = _first(objects, key)
    return value if isinstance(value, bool) else None


def _sold(value: object) -> frozenset[str] | None:
    """Civitai wrote one word, then a list, then a set as its database prints it: `{Image,Sell}`."""
    if isinstance(value, str):
        value = value.strip("{}").split(",")
    if not isinstance(value, list):
        return None
    return frozenset(str(one).strip() for one in value if str(one).strip() not in ("", "None"))


def _creator(objects: list[Mapping[str, Any]]) -> str | None:
    creator = _first(objects, "creator")
    return _text(creator.get("username")) if isinstance(creator, dict) else _text(creator)


def _text(value: object) -> str | None:
    return " ".join(value.split())[:200] or None if isinstance(value, str) else None
