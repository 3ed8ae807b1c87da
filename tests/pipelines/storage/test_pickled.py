"""Pickled checkpoints: weights come out as they went in; nothing in them is ever run."""

import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import load_file

import assets
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.errors import DiskError, SourceError
from pipelines.storage.files import cache_dir
from pipelines.storage.pickled import as_safetensors
from tests.full_keys import tensors_of, to_file

PARTS = ("unet", "text_encoder", "text_encoder_2", "vae")


@pytest.fixture(scope="module")
def stored():
    """The embedded base under the names of a single file."""
    tensors = {}
    for part, named in tensors_of(assets.FAMILY / "base").items():
        tensors |= to_file(part, named)
    return tensors


class Hostile:
    """Leaves a mark when it is unpickled by a reader that runs pickles."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


def test_a_checkpoint_opens_and_equals_its_source(family, stored, tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": stored, "global_step": 470000, "pytorch-lightning_version": "1.4.2"}, path)
    source = open_source_uri(path)
    assert source.name == "old"
    assert source.uri == str(path)
    for part in PARTS:
        assert source.components[part].sha256 == family["base"].components[part].sha256


def test_converts_once_and_again_when_the_file_changes(tmp_path):
    path = tmp_path / "a.ckpt"
    torch.save({"x": torch.zeros(2)}, path)
    first = as_safetensors(path)
    written = first.stat().st_mtime_ns
    assert as_safetensors(path) == first
    assert first.stat().st_mtime_ns == written
    torch.save({"x": torch.ones(3)}, path)
    second = as_safetensors(path)
    assert second != first
    assert torch.equal(load_file(second)["x"], torch.ones(3))
    assert not [file for file in first.parent.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("zipped", [True, False])
def test_every_tensor_gets_memory_of_its_own(zipped, tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    content = {
        "whole": whole,
        "row": whole[1],
        "turned": whole.t(),
        "again": whole,
        "empty": torch.zeros(0),
        "scalar": torch.tensor(7),
        "half": whole.to(torch.bfloat16),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "note": "not a tensor",
    }
    torch.save(content, tmp_path / "shared.pt", _use_new_zipfile_serialization=zipped)
    found = load_file(as_safetensors(tmp_path / "shared.pt"))
    assert set(found) == set(content) - {"note"}
    for name, tensor in found.items():
        assert tensor.dtype == content[name].dtype
        assert torch.equal(tensor, content[name]), name


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_is_refused_by_name_and_not_run(zipped, tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "bad.ckpt"
    torch.save({"state_dict": {"x": torch.zeros(2)}, "y": Hostile(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(SourceError, match=r"asks for '(posix|nt)\.system' when it is opened.*none of it was run"):
        as_safetensors(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # what a careless reader does
    assert mark.exists()


def test_a_hostile_pickle_of_a_newer_protocol_is_refused_too(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "bad.ckpt"
    torch.save({"x": torch.zeros(2), "y": Hostile(mark)}, path, pickle_protocol=4)
    with pytest.raises(SourceError, match="cannot be read as weights only"):
        as_safetensors(path)
    path.write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(SourceError, match=r"bad\.ckpt"):
        as_safetensors(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "holds no weights, but a list"),
        ({"state_dict": {"step": 3}}, "holds no weights, but a dict"),
        (torch.zeros(2), "holds no weights, but a Tensor"),
        ({"x": torch.zeros(4).to_sparse()}, r"tensor x is stored as torch\.float32, torch\.sparse_coo"),
        ({"x": torch.zeros(4, dtype=torch.int8)}, r"tensor x is stored as torch\.int8"),
        ({"x": torch.empty(4, device="meta")}, "on meta"),
        ({"x": torch.zeros(1).expand(10**12)}, "unpacks to 4000000000000"),
    ],
)
def test_refuses_what_holds_no_weights(content, message, tmp_path):
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(SourceError, match=message):
        as_safetensors(tmp_path / "odd.ckpt")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_refuses_a_truncated_file(zipped, kept, tmp_path):
    path = tmp_path / "short.ckpt"
    torch.save({"x": torch.zeros(5000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(SourceError, match=r"short\.ckpt"):
        as_safetensors(path)


def test_refuses_other_files_without_bad_advice(tmp_path):
    model = tmp_path / "script.pt"
    with zipfile.ZipFile(model, "w") as file:  # the mark of TorchScript, a program with weights
        file.writestr("model/constants.pkl", b"")
        file.writestr("model/data.pkl", b"")
        file.writestr("model/version", b"3")
    for path, content in ((tmp_path / "text.ckpt", b"hello " * 100), (model, None)):
        if content:
            path.write_bytes(content)
        with pytest.raises(SourceError) as error:
            as_safetensors(path)
        assert "Expected a whole file written by torch.save" in str(error.value)
        assert "weights_only` set to `False`" not in str(error.value)
    with pytest.raises(SourceError, match="No such file"):
        as_safetensors(tmp_path / "none.ckpt")


def test_refuses_when_there_is_no_room(tmp_path, monkeypatch):
    torch.save({"x": torch.zeros(100)}, tmp_path / "x.ckpt")
    monkeypatch.setattr("pipelines.storage.disk_space.SPARE_BYTES", 1 << 60)
    with pytest.raises(DiskError, match=r"x\.ckpt as safetensors needs \d+\.\d\d GB, .* GB free"):
        as_safetensors(tmp_path / "x.ckpt")
    assert not list((cache_dir() / "converted").glob("x-*"))
