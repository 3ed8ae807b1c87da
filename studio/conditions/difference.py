"""What a run depends on, then and now: each difference by itself, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

import assets
from pipelines.errors import Phrase
from studio.i18n import Lang, phrase, worded

from .record import RecordedSource, RunConditions

Kind = Literal[
    "sources", "family", "weights", "documents", "file", "scorer", "version", "device", "processor", "instructions"
]


class Difference(BaseModel):
    """One thing that is another than it was.

    Attributes:
        kind: what kind of thing.
        name: which one.
        was: what it was when the run began.
        now: what it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    name: str
    was: str
    now: str


def sentence(lang: Lang, difference: Difference) -> str:
    """Say a difference in a sentence."""
    return worded(lang, difference_phrase(difference))


def difference_phrase(difference: Difference) -> Phrase:
    """A difference in no language yet."""
    return phrase(f"differs_{difference.kind}", name=difference.name, was=difference.was, now=difference.now)


def differences(then: RunConditions, now: RunConditions) -> list[Difference]:
    """List what is another than it was. Of a record that is not complete, only the weights are compared.

    Sources that come with the studio, and came with other weights then, are one difference.
    """
    if then.sources.keys() != now.sources.keys():
        was, here = (", ".join(one.sources) for one in (then, now))
        return [Difference(kind="sources", name="", was=was, now=here)]
    retrained = [name for name, source in then.sources.items() if _came_along(now.sources[name], source)]
    found = [Difference(kind="family", name=", ".join(retrained), was="", now="")] if retrained else []
    for name, source in then.sources.items():
        if name not in retrained:
            found += _of_source(name, source, now.sources[name])
    if not then.complete:
        return found
    for name in sorted(then.files.keys() | now.files.keys()):
        was, is_now = then.files.get(name, ""), now.files.get(name, "")
        if was != is_now:
            found.append(Difference(kind="file", name=name, was=_short(was), now=_short(is_now)))
    for name in sorted(then.versions.keys() | now.versions.keys()):
        was, is_now = then.versions.get(name, "–"), now.versions.get(name, "–")
        if was != is_now:
            found.append(Difference(kind="version", name=name, was=was, now=is_now))
    kinds: tuple[Literal["device", "processor", "instructions"], ...] = ("device", "processor", "instructions")
    for kind in kinds:
        was, is_now = then.machine.get(kind, "–"), now.machine.get(kind, "–")
        if was != is_now:
            found.append(Difference(kind=kind, name=kind, was=was, now=is_now))
    return found


def _came_along(now: RecordedSource, then: RecordedSource) -> bool:
    """Whether a source comes with the studio, and came with other weights then."""
    ships = bool(now.files) and all(Path(file.path).is_relative_to(assets.FAMILY) for file in now.files)
    return ships and now.weights != then.weights


def _of_source(name: str, then: RecordedSource, now: RecordedSource) -> Iterator[Difference]:
    parts = sorted(then.weights.keys() | now.weights.keys())
    changed = [part for part in parts if then.weights.get(part) != now.weights.get(part)]
    if changed:
        was, is_now = (_said(one, changed) for one in (then, now))
        yield Difference(kind="weights", name=f"{name} ({', '.join(changed)})", was=was, now=is_now)
    if then.documents and then.documents != now.documents:
        yield Difference(kind="documents", name=name, was=_short(then.documents), now=_short(now.documents))


def _said(source: RecordedSource, parts: Iterable[str]) -> str:
    """Hashes of some components, and the files they may lie in."""
    hashes = ", ".join(_short(source.weights.get(part, "")) for part in parts)
    files = [
        f"{Path(file.path).name} {file.size} bytes "
        f"{datetime.fromtimestamp(file.modified / 1e9, UTC).isoformat(sep=' ', timespec='seconds')}"
        for file in source.files
    ]
    return f"{hashes} ({'; '.join(files)})" if files else hashes


def _short(digest: str) -> str:
    return f"sha256 {digest[:12]}" if digest else "–"
