"""What was written into an export: `SHA256SUMS`, a line per file, which `sha256sum --check` reads too.

It lies among the documents of an export and names every file of it but itself: card, licences, recipe, pictures,
configurations and weights, headers with them. The weights of a single file lie beside its documents, as `../NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.errors import ExportError, Phrase, unreadable
from pipelines.storage.files import read_sha256, write_whole

from .provenance import file_sha256

MANIFEST_FILE = "SHA256SUMS"
_LINE = re.compile(r"(?P<escaped>\\?)(?P<sha256>[0-9a-f]{64}) [ *](?P<name>.+)")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}  # as coreutils writes names


@dataclass(frozen=True)
class FileComparison:
    """The files of an export beside its manifest, by their places in it.

    Attributes:
        checked: how many files the manifest names.
        changed: those that hold something else now.
        missing: those that are gone.
        unexpected: files that the manifest does not name; hidden ones are nobody's concern.
    """

    checked: int
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the export has all the files that were written, as they were, and no others."""
        return not self.changed and not self.missing and not self.unexpected


def write_manifest(documents: Path, checkpoint: Path) -> None:
    """Write the manifest of an export that is finished but for it.

    Args:
        documents: the folder that it goes to.
        checkpoint: the same folder, or the single file that the documents belong to.
    """
    files = _files(documents)
    if checkpoint != documents:
        files[f"../{checkpoint.name}"] = checkpoint
    write_whole(documents / MANIFEST_FILE, manifest({name: file_sha256(file) for name, file in files.items()}))


def manifest(digests: Mapping[str, str]) -> bytes:
    """Return the content of a manifest.

    Args:
        digests: hex SHA-256 by place, relative to the folder of the manifest.
    """
    lines = []
    for name, digest in sorted(digests.items()):
        escaped = "".join(_ESCAPES.get(letter, letter) for letter in name)
        lines.append(f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n")
    return "".join(lines).encode()


def read_manifest(documents: Path) -> dict[str, str] | None:
    """Read the manifest of an export: hex SHA-256 by place; `None` where there is none.

    Raises:
        ExportError: it cannot be read, or a line of it is none.
    """
    path = documents / MANIFEST_FILE
    if not path.exists():
        return None
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_manifest(path, unreadable(error)) from error
    digests = {}
    for number, line in enumerate(filter(None, lines), start=1):
        match = _LINE.fullmatch(line)
        name = match and (_unescaped(match["name"]) if match["escaped"] else match["name"])
        if match is None or not name or not _is_inside(name):
            raise _no_manifest(path, Phrase("line {number} names no file of it", number=number))
        digests[name] = match["sha256"]
    return digests


def compare_files(
    documents: Path, digests: Mapping[str, str], progress: Callable[[int, int], None] | None = None
) -> FileComparison:
    """Compare the files of an export with its manifest; every byte is read, whatever is known of a file.

    Args:
        documents: the folder that holds the manifest.
        digests: what it says.
        progress: told (bytes read, bytes in all); raise in it to give up.
    """
    sizes = {name: (documents / name).stat().st_size for name in digests if (documents / name).is_file()}
    changed, done = [], 0
    for name, size in sizes.items():
        on_read = (lambda read, base=done: progress(base + read, sum(sizes.values()))) if progress else None
        if read_sha256(documents / name, on_read) != digests[name]:
            changed.append(name)
        done += size
    there = {name for name in _files(documents) if not any(part.startswith(".") for part in PurePosixPath(name).parts)}
    return FileComparison(
        checked=len(digests),
        changed=tuple(sorted(changed)),
        missing=tuple(sorted(digests.keys() - sizes.keys())),
        unexpected=tuple(sorted(there - digests.keys())),
    )


def _files(folder: Path) -> dict[str, Path]:
    """Return the files in a folder by place, but for the manifest itself."""
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    files.pop(MANIFEST_FILE, None)
    return files


def _unescaped(name: str) -> str:
    letters = {escape: letter for letter, escape in _ESCAPES.items()}
    return re.sub(r"\\[\\nr]", lambda found: letters[found[0]], name)


def _is_inside(name: str) -> bool:
    """Whether a place is one that an export has: inside its documents, or a file beside them."""
    parts = PurePosixPath(name).parts
    inside = parts[1:] if len(parts) == 2 and parts[0] == ".." else parts
    return not name.startswith("/") and ".." not in inside and "\0" not in name


def _no_manifest(path: Path, problem: str) -> ExportError:
    return ExportError(
        "{path} cannot be read ({problem}). Expected the SHA-256 and the name of a file in each line, as the export "
        "wrote them; export it again, or take the file away to compare the weights alone.",
        path=path,
        problem=problem,
    )
