"""Cache places, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .past_cache import aligned_memory, set_past_cache
from .unfinished import claim, unfinished_path


@dataclass(frozen=True)
class FileStamp:
    """What tells one state of a file from another, short of reading it.

    Attributes:
        path: where it really lies, links followed.
        inode: which file lies there; another one under the same path has another.
        size: in bytes.
        modified: when it was last written to, in nanoseconds; programs may set it to any time.
        changed: when anything about it last changed, in nanoseconds; no program can set it back.
    """

    path: str
    inode: int
    size: int
    modified: int
    changed: int

    def has_same_content(self, other: FileStamp) -> bool:
        """Whether nobody wrote to the file between the two: a new link to it, or other rights, change it as well."""
        return (self.inode, self.size, self.modified) == (other.inode, other.size, other.modified)


def file_stamp(path: Path, *, descriptor: int | None = None) -> FileStamp:
    """Return the stamp of the file at a path as it is now, or of an open one.

    Raises:
        OSError: there is no file.
    """
    facts = path.stat() if descriptor is None else os.fstat(descriptor)
    return FileStamp(str(path.resolve()), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def cache_dir() -> Path:
    """Return the folder for what can be computed again, such as hashes and Gram matrices; `M2N2_CACHE` moves it."""
    return Path(os.environ.get("M2N2_CACHE") or platformdirs.user_cache_path("m2n2-studio"))


def lies_in(file: Path, folder: Path) -> bool:
    """Return whether a regular file lies in a folder when links are followed.

    What comes with somebody else's checkpoint is copied into exports, and a link in it may lead anywhere on this disk.
    A snapshot of the hub's cache is a folder of links to the files beside it, and those belong to it.
    """
    is_snapshot = folder.parent.name == "snapshots" and (folder.parents[1] / "blobs").is_dir()
    root = folder.parents[1] if is_snapshot else folder
    return file.is_file() and file.resolve().is_relative_to(root.resolve())


def newest_first(files: Iterable[Path]) -> list[Path]:
    """Return the files that are there, those written to last first; one that goes away meanwhile is left out."""
    written = []
    for file in files:
        with contextlib.suppress(OSError):
            written.append((file.stat().st_mtime_ns, file))
    return [file for _, file in sorted(written, reverse=True)]


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` beside `path` and rename it into place, so that no reader ever sees half a file.

    The one way in which small files are written. A process that is killed amid it leaves a file that bears an
    unfinished name, see `unfinished`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished_path(path)
    try:
        with open(temporary, "xb") as file:
            claim(file.fileno())
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_sha256(
    path: Path, progress: Callable[[int], None] | None = None, *, start: int = 0, past_cache: bool = False
) -> str:
    """Hash a file from its bytes, never from the cache: a failing disk changes them, not the time of change.

    Args:
        path: the file.
        progress: told the bytes read so far.
        start: the first byte that is read.
        past_cache: whether it is read from the disk, for a file that is not in the page cache and need not be.

    Returns:
        The SHA-256, in hex.
    """
    digest, done = hashlib.sha256(), 0
    piece, other = aligned_memory(), aligned_memory()
    with open(path, "rb", buffering=0) as file, ThreadPoolExecutor(1) as beside:  # one reads, another hashes
        file.seek(start)
        if past_cache:
            set_past_cache(file.fileno(), True)

        def read(memory: memoryview) -> int:
            try:
                return file.readinto(memory)
            except OSError as error:  # such as behind an end that is not aligned
                if error.errno != errno.EINVAL:
                    raise
                set_past_cache(file.fileno(), False)
                return file.readinto(memory)

        count = read(piece)
        while count:
            coming = beside.submit(read, other)
            digest.update(piece[:count])
            done += count
            if progress:
                progress(done)
            count, piece, other = coming.result(), other, piece
    return digest.hexdigest()
