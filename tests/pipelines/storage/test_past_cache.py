"""Files written past the page cache have the bytes that they were given, whatever their lengths and the disk."""

import errno
import hashlib
import os

import pytest

from pipelines.storage.files import read_sha256
from pipelines.storage.past_cache import ALIGNMENT, PIECE, AlignedAppender, set_past_cache

CONTENT = hashlib.shake_128(b"weights").digest(1 << 16) * 129  # 8.1 MiB: two pieces, and some of a third


def written(path, lengths, content):
    with open(path, "wb") as file:
        past = set_past_cache(file.fileno(), True)
        with AlignedAppender(file.fileno()) as appender:
            start = 0
            for length in [*lengths, len(content)]:
                block = bytearray(content[start : start + length])
                appender.append(memoryview(block))
                block[:] = bytes(len(block))  # whoever appends may use its memory again
                start += len(block)
            appender.finish()
        file.write(b"")
    return past, path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, ALIGNMENT, ALIGNMENT + 1, PIECE - 1, PIECE, PIECE + 1, len(CONTENT)])
@pytest.mark.parametrize("lengths", [[], [1, 7, ALIGNMENT, 3 * ALIGNMENT + 5], [PIECE, PIECE + 3]])
def test_any_lengths_make_the_same_file(tmp_path, size, lengths):
    content = CONTENT[:size]
    _, found = written(tmp_path / "file", lengths, content)
    assert found == content
    assert read_sha256(tmp_path / "file", past_cache=True) == hashlib.sha256(content).hexdigest()
    told = []
    read_sha256(tmp_path / "file", told.append, start=min(size, 9), past_cache=True)
    assert told[-1:] == ([size - 9] if size > 9 else [])


@pytest.mark.parametrize("refused_at", [0, 1])
def test_a_disk_that_refuses_gets_it_through_the_cache(tmp_path, monkeypatch, refused_at):
    """Aligned memory is not enough for every disk; the first it says so, or a later one."""
    calls, pwrite = [], os.pwrite

    def refuse(descriptor, memory, position):
        calls.append(position)
        if len(calls) == refused_at + 1:
            raise OSError(errno.EINVAL, "Invalid argument")
        return pwrite(descriptor, memory, position)

    monkeypatch.setattr(os, "pwrite", refuse)
    past, found = written(tmp_path / "file", [], CONTENT)
    if not past:
        pytest.skip("this disk has no such way")
    assert found == CONTENT
    assert calls.count(PIECE * refused_at) == 2


def test_a_write_that_takes_less_goes_on_where_it_ended(tmp_path, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda one, memory, at: pwrite(one, memory[: max(1, len(memory) // 2)], at))
    assert written(tmp_path / "file", [], CONTENT[: PIECE + 5])[1] == CONTENT[: PIECE + 5]


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    def refuse(descriptor, memory, position):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path / "file", [], CONTENT)
