"""Damaged and hostile safetensors files: an error of ours, never another one, and never wrong values."""

import json
import os
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from pipelines.checkpoints.sources import open_source
from pipelines.errors import SourceError
from pipelines.storage.tensor_file import MOST_HEADER, TensorFile

TENSORS = {
    "a": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "b": torch.arange(4, dtype=torch.float32),
    "ids": torch.arange(3),
}
ENTRY = {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}
hostile = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path):
    save_file(TENSORS, tmp_path / "good.safetensors", metadata={"title": "金継ぎ"})
    return tmp_path / "good.safetensors"


def write(path, header, data=b"\0" * 8, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def opened_or_refused(path):
    """Open and read everything; gives the values, or `None` where the file is refused."""
    try:
        file = TensorFile(path)
    except SourceError:
        return None
    return {key: file.read(key) for key in file.tensors}


def test_reads_what_was_written(path):
    file = TensorFile(path)
    assert file.tensors == {"a": ((2, 3), "F16"), "b": ((4,), "F32"), "ids": ((3,), "I64")}
    assert file.metadata == {"title": "金継ぎ"}
    assert all(torch.equal(file.read(key), tensor) for key, tensor in TENSORS.items())


@hostile
@given(st.data())
def test_cut_off_anywhere(path, data):
    content = path.read_bytes()
    cut = path.with_name("cut.safetensors")
    cut.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert opened_or_refused(cut) is None


@hostile
@given(st.data())
def test_any_byte_of_the_header_changed(path, data):
    """What still opens has the data section's values, under whatever names and shapes the header now says."""
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    content[data.draw(st.integers(0, 8 + length - 1))] = data.draw(st.integers(0, 255))
    changed = path.with_name("changed.safetensors")
    changed.write_bytes(bytes(content))
    values = opened_or_refused(changed)
    if values is not None:
        stored = b"".join(value.reshape(-1).view(torch.uint8).numpy().tobytes() for value in values.values())
        assert len(stored) <= len(content) - 8


@hostile
@given(st.binary(max_size=200))
def test_random_bytes(tmp_path, content):
    path = tmp_path / "random.safetensors"
    path.write_bytes(content)
    assert opened_or_refused(path) in (None, {})  # eight bytes of length and an empty object are a valid file


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"a": ENTRY, "b": ENTRY}, b"\0" * 8),
        ({"a": ENTRY, "b": {**ENTRY, "data_offsets": [4, 12]}}, b"\0" * 12),
        ({"a": {**ENTRY, "data_offsets": [8, 0]}}, b"\0" * 8),
        ({"a": {**ENTRY, "shape": [5]}}, b"\0" * 8),
        ({"a": {**ENTRY, "shape": [-4]}}, b"\0" * 8),
        ({"a": {**ENTRY, "shape": [2**32, 2**32, 2**32]}}, b"\0" * 8),
        ({"a": {**ENTRY, "dtype": "F17"}}, b"\0" * 8),
        ({"a": ENTRY}, b"\0" * 9),
        ([1, 2], b""),
        (b"{" * 5000, b""),
        (b"\xff\xfe", b""),
    ],
    ids=[
        "two in one place",
        "overlapping",
        "backwards",
        "shape too large",
        "negative shape",
        "shape beyond memory",
        "unknown dtype",
        "bytes left over",
        "a list",
        "nested without end",
        "not UTF-8",
    ],
)
def test_refuses_a_header_that_lies(tmp_path, header, data):
    with pytest.raises(SourceError, match="cannot be read as safetensors"):
        TensorFile(write(tmp_path / "x.safetensors", header, data))


@pytest.mark.parametrize("length", [2**63, 2**40, 200_000_000])
def test_refuses_an_absurd_header_length(tmp_path, length):
    with pytest.raises(SourceError, match="cannot be read as safetensors"):
        TensorFile(write(tmp_path / "x.safetensors", {"a": ENTRY}, length=length))


def test_refuses_a_key_named_twice(tmp_path):
    header = b'{"a":%b,"a":%b}' % ((json.dumps(ENTRY).encode(),) * 2)
    with pytest.raises(SourceError, match="names the key 'a' twice"):
        TensorFile(write(tmp_path / "x.safetensors", header))


def test_refuses_what_is_no_file(tmp_path):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "gone")
    (tmp_path / "loop.safetensors").symlink_to(tmp_path / "loop.safetensors")
    for name, found in (("folder", "a folder"), ("link", "a link to nothing"), ("loop", "a link"), ("none", "nothing")):
        with pytest.raises(SourceError, match=f"expected a safetensors file, found {found}"):
            TensorFile(tmp_path / f"{name}.safetensors")


def test_follows_a_link_to_a_file(path, tmp_path):
    (tmp_path / "link.safetensors").symlink_to(path)
    assert torch.equal(TensorFile(tmp_path / "link.safetensors").read("b"), TENSORS["b"])


def test_a_folder_that_is_named_like_a_file_is_refused_as_a_source(tmp_path):
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(SourceError, match="found a folder"):
        open_source(tmp_path / "model.safetensors")


def test_refuses_quantised_weights(tmp_path):
    key = "model.diffusion_model.input_blocks.0.0.weight"
    header = {key: {"dtype": "I8", "shape": [2, 4, 1, 1], "data_offsets": [0, 8]}}
    with pytest.raises(SourceError, match="stored as I8"):
        open_source(write(tmp_path / "x.safetensors", header))


def test_a_header_without_end_is_refused(tmp_path):
    """Before anything is allocated: the file says that its header is longer than any is."""
    path = tmp_path / "long.safetensors"
    for length in (MOST_HEADER + 1, 1 << 62):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        with pytest.raises(SourceError, match="a header of"):
            TensorFile(path)
    deep = b"[" * 100_000
    path.write_bytes(len(deep).to_bytes(8, "little") + deep)
    with pytest.raises(SourceError, match="cannot be read as safetensors"):
        TensorFile(path)


def test_what_becomes_of_an_open_file_is_noticed(path):
    content, opened = path.read_bytes(), TensorFile(path)
    (path.parent / "link").hardlink_to(path)
    opened.check_unchanged()  # another name for the same bytes
    os.utime(path, ns=(1, opened.stamp.modified + 1))
    with pytest.raises(SourceError, match="has changed since it was opened"):
        opened.check_unchanged()
    os.utime(path, ns=(1, opened.stamp.modified))
    opened.check_unchanged()
    path.unlink()
    with pytest.raises(SourceError, match="is gone"):
        opened.check_unchanged()
    path.write_bytes(content)
    os.utime(path, ns=(1, opened.stamp.modified))
    with pytest.raises(SourceError, match="has changed since it was opened"):
        opened.check_unchanged()  # as large and as old, and another file
