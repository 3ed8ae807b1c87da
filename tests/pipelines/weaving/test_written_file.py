"""What a file is known by once it is written: the hashes are those of its bytes, and it is on the disk."""

import hashlib
import os

import pytest
import torch

from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import FileEntry, component_entries, weave_file
from pipelines.weaving.written_file import flushed

KEY = "modelspec.hash_sha256"


@pytest.fixture(autouse=True, params=["through the page cache", "past it"])
def way(request, monkeypatch):
    """Each way to the disk that a file can take."""
    if request.param == "past it":
        monkeypatch.setattr("pipelines.weaving.written_file.PAST_CACHE_FROM", 0)


def tensor_bytes(path):
    content = path.read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("key", [None, KEY])
def test_hashes_are_those_of_the_bytes_on_the_disk(family, one_hot, tmp_path, key):
    plan, path = Plan(one_hot["flat"], family, dtype=torch.bfloat16), tmp_path / "unet.safetensors"
    written = weave_file(plan, component_entries(plan, "unet"), path, metadata={"title": "金継ぎ"}, hash_key=key)
    assert written.sha256 == sha256(path.read_bytes())
    assert written.data_sha256 == sha256(tensor_bytes(path))
    stated = f'"{KEY}":"0x{written.data_sha256}"'.encode()
    assert (stated in path.read_bytes()) is (key is not None)


def test_stating_the_hash_changes_the_header_alone(family, one_hot, tmp_path):
    plan = Plan(one_hot["flat"], family)
    entries = component_entries(plan, "text_encoder")
    for name, key in (("without", None), ("with", KEY)):
        weave_file(plan, entries, tmp_path / name, hash_key=key)
    assert tensor_bytes(tmp_path / "without") == tensor_bytes(tmp_path / "with")


def test_either_way_to_the_disk_gives_the_same_file(family, one_hot, tmp_path, monkeypatch):
    plan = Plan(one_hot["flat"], family)
    for name, size in (("past", 0), ("through", 1 << 60)):
        monkeypatch.setattr("pipelines.weaving.written_file.PAST_CACHE_FROM", size)
        weave_file(plan, component_entries(plan, "vae"), tmp_path / name, hash_key=KEY)
    assert (tmp_path / "past").read_bytes() == (tmp_path / "through").read_bytes()


def test_blocks_of_every_kind_are_hashed_in_their_order(tmp_path):
    """Values of several dtypes, an empty one and a number alone; wide ones come first in the file."""
    values = {
        "half": torch.arange(5, dtype=torch.float16),
        "wide": torch.tensor([1.5, -2.0], dtype=torch.float64),
        "empty": torch.zeros(0),
        "alone": torch.tensor(7, dtype=torch.int64),
    }
    entries = [FileEntry(key, tuple(value.shape), value.dtype, value=value) for key, value in values.items()]
    written = weave_file(None, entries, tmp_path / "some.safetensors")
    order = ("wide", "alone", "empty", "half")
    assert written.data_sha256 == sha256(b"".join(values[key].numpy().tobytes() for key in order))


def test_progress_counts_what_is_written_and_then_what_is_read_again(family, one_hot, tmp_path):
    plan, told = Plan(one_hot["flat"], family), []
    entries = component_entries(plan, "unet")
    size = sum(entry.size for entry in entries)
    weave_file(plan, entries, tmp_path / "unet", hash_key=KEY, progress=told.append)
    assert told == sorted(told)
    assert size in told
    assert told[-1] == 2 * size
    weave_file(plan, entries, tmp_path / "again", progress=told.clear() or told.append)
    assert told[-1] == size


def test_a_disk_that_does_not_take_it_is_an_error(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with open(tmp_path / "file", "wb") as file, pytest.raises(OSError, match="Input/output"), flushed(file.fileno()):
        file.write(b"some")


def test_what_was_refused_while_it_was_written_is_an_error_at_the_end(tmp_path, monkeypatch):
    """The system says once that the disk failed, to whoever asks first."""
    asked = []

    def refuse_once(descriptor):
        asked.append(descriptor)
        if len(asked) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse_once)
    monkeypatch.setattr("pipelines.weaving.written_file.FLUSH_SECONDS", 0.01)

    def write(descriptor):
        with flushed(descriptor):
            while not asked:
                pass

    with open(tmp_path / "file", "wb") as file, pytest.raises(OSError, match="Input/output"):
        write(file.fileno())
