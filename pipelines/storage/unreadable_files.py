"""Why a file cannot be read as weights, from its first bytes, its header and its size: what is said of it is true."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import Phrase
from pipelines.untrusted import UnreadableDocument, parse_json

_FIRST = 64  # bytes that tell what a file is
_MOST_HEADER = 32 << 20
_PICKLED, _RENAME = Phrase("a pickled checkpoint under another name"), Phrase("rename it to .ckpt, which is converted")
# How files begin that bear another's name, what they are, and what to do.
_OTHERS = (
    (b"PK\x03\x04", _PICKLED, _RENAME),
    (b"\x80\x02\x8a", _PICKLED, _RENAME),
    (b"\x80\x02}", _PICKLED, _RENAME),
    (b"\x80\x04\x95", _PICKLED, _RENAME),
    (
        b"version https://git-lfs",
        Phrase("a pointer of Git LFS, and the weights are elsewhere"),
        Phrase("run `git lfs pull` where it is"),
    ),
    (b"GGUF", Phrase("GGUF, of quantised weights"), Phrase("use the checkpoint that it was quantised from")),
    (b"<!doctype html", Phrase("a web page"), Phrase("download the file itself; its page may ask you to log in")),
    (b"<html", Phrase("a web page"), Phrase("download the file itself; its page may ask you to log in")),
    (
        b'{"error',
        Phrase("an answer of a server in place of the file"),
        Phrase("download it once more; it may ask you to log in"),
    ),
)


def what_it_is(path: Path) -> Phrase | None:
    """Return what a file of another kind is, and what to do; `None` where its first bytes do not show it."""
    with open(path, "rb") as file:
        first = file.read(_FIRST)
    for beginning, kind, remedy in _OTHERS:
        if first.lstrip().lower().startswith(beginning.lower()):
            return Phrase("found {kind}: {remedy}", kind=kind, remedy=remedy)
    if len(first) > 8 and first[8:9] == b"{" and 0 < int.from_bytes(first[:8], "little") <= path.stat().st_size - 8:
        return Phrase("found safetensors under another name: rename it to .safetensors")
    return None


def why_no_tensors(path: Path, error: Exception) -> Phrase:
    """Return what keeps a file from being read as safetensors, with what to do.

    Args:
        path: a file that is there.
        error: what its reader said.
    """
    try:
        return _why(path) or Phrase(
            "found a header that its reader refuses ({error}): save it again with the tool that made it", error=error
        )
    except (OSError, UnreadableDocument):
        return Phrase("found a header that is none ({error}): it may be another kind of file, or damaged", error=error)


def _why(path: Path) -> Phrase | None:
    size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size >= 8 and (length > _MOST_HEADER or length > size - 8) and (other := what_it_is(path)):
            return other
        if length > _MOST_HEADER:
            return Phrase(
                "found a header of {length} bytes, more than {most} MiB: it is another kind of file",
                length=length,
                most=_MOST_HEADER >> 20,
            )
        if size < 8 + length:
            return Phrase(
                "found {size} bytes, not all of its header: it may be truncated or still downloading", size=size
            )
        header = parse_json(file.read(length))
    if not isinstance(header, dict):
        return None
    notes = header.get("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        return Phrase(
            "found metadata in its header that is no text, though its tensors may be whole: save it again with "
            "safetensors, with texts as metadata or none"
        )
    ends = [end for entry in header.values() if isinstance(entry, dict) and (end := _end(entry)) is not None]
    expected = 8 + length + max(ends, default=0)
    if size < expected:
        return Phrase(
            "found {size} of {expected} bytes: it may be truncated or still downloading", size=size, expected=expected
        )
    if size > expected:
        return Phrase(
            "found {extra} bytes behind its last tensor: another program has written to it", extra=size - expected
        )
    return None


def _end(entry: dict[str, object]) -> int | None:
    """Return the end of a tensor in the data, as the header states it."""
    offsets = entry.get("data_offsets")
    return offsets[1] if isinstance(offsets, list) and len(offsets) == 2 and isinstance(offsets[1], int) else None
