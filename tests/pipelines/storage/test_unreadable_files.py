"""What is said of a file that cannot be read is what the file is."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import save

from pipelines.errors import SourceError
from pipelines.storage.pickled import as_safetensors
from pipelines.storage.tensor_file import TensorFile

WHOLE = save({"x": torch.arange(8.0)})


def with_metadata(notes):
    """A whole file whose header holds these notes."""
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    header = json.dumps({"__metadata__": notes, "x": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (WHOLE[:-4], rf"found {len(WHOLE) - 4} of {len(WHOLE)} bytes: it may be truncated or still downloading"),
        (WHOLE[:20], "found 20 bytes, not all of its header: it may be truncated"),
        (b"", "found 0 bytes, not all of its header"),
        (WHOLE + b"1234", "found 4 bytes behind its last tensor: another program has written to it"),
        (with_metadata({"epoch": 3}), "found metadata in its header that is no text, though its tensors may be whole"),
        (with_metadata("none"), "found metadata in its header that is no text"),
        (b"PK\x03\x04" + bytes(100), "found a pickled checkpoint under another name: rename it to .ckpt"),
        (pickle.dumps({"x": 1}, protocol=2) + bytes(100), "found a pickled checkpoint under another name"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "found a web page: download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "found a pointer of Git LFS"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 20, "found GGUF"),
        (struct.pack("<Q", 4) + b"[1,2" + bytes(8), "found a header that is none"),
    ],
)
def test_a_file_that_is_no_safetensors(content, words, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words) as error:
        TensorFile(path)
    assert "fetch it again" not in str(error.value)


def test_text_in_the_metadata_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(with_metadata({"epoch": "3"}))
    assert TensorFile(path).metadata == {"epoch": "3"}


@pytest.mark.parametrize(
    ("content", "words"),
    [(WHOLE, "found safetensors under another name: rename it to .safetensors"), (b"<html>", "found a web page")],
)
def test_a_file_that_is_no_pickle(content, words, tmp_path):
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        as_safetensors(path)
