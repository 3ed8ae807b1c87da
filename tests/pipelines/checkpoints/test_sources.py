"""Sources: what is read, and what is refused with a reason."""

import hashlib
import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.architectures.keys import canonical_order
from pipelines.checkpoints.sources import open_source
from pipelines.errors import SourceError
from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict

UNET = "unet/diffusion_pytorch_model.safetensors"


def rewrite(folder, change):
    """Change the tensors of a copied source's UNet."""
    tensors = load_file(folder / UNET)
    change(tensors)
    save_file(tensors, folder / UNET)


def test_hash_is_over_tensor_bytes_in_canonical_order(family):
    path = family["ja"].path / UNET
    tensors = load_file(path)
    digest = hashlib.sha256()
    for name in canonical_order("unet", tensors):
        digest.update(tensors[name].numpy().tobytes())
    assert family["ja"].components["unet"].sha256 == digest.hexdigest()


def test_one_core_looks_for_nan_while_the_other_hashes(family):
    """More threads of torch's would only spin."""
    before, seen = torch.get_num_threads(), set()
    torch.set_num_threads(2)
    try:
        family["ja"].components["unet"].compute_sha256(lambda _: seen.add(torch.get_num_threads()), reread=True)
    finally:
        torch.set_num_threads(before)
    assert seen == {1}


def test_hash_follows_the_file(copied):
    folder = copied("base")
    before = open_source(folder).components["unet"].sha256
    rewrite(folder, lambda tensors: tensors["conv_in.bias"].add_(1))
    assert open_source(folder).components["unet"].sha256 != before


def test_hash_follows_a_file_that_has_the_size_and_the_time_of_before(copied):
    folder = copied("base")
    before = open_source(folder).components["unet"]
    (file,) = before.files
    assert before.sha256
    facts = file.path.stat()
    with open(file.path, "r+b") as opened:
        opened.seek(-2, os.SEEK_END)
        last = opened.read(1)
        opened.seek(-2, os.SEEK_END)
        opened.write(bytes([last[0] ^ 1]))  # the last bit of a number
    os.utime(file.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (file.path.stat().st_mtime_ns, file.path.stat().st_size) == (facts.st_mtime_ns, facts.st_size)
    assert open_source(folder).components["unet"].sha256 != before.sha256


def test_a_file_that_changes_while_it_is_hashed_gets_no_hash(copied):
    part = open_source(copied("base")).components["unet"]
    (file,) = part.files
    with pytest.raises(SourceError, match="has changed since it was opened"):
        part.compute_sha256(lambda _: os.utime(file.path), reread=True)
    assert not part.is_hashed


def test_every_text_encoder_tensor_has_its_canonical_name(family):
    for source in family.values():
        assert all(name.startswith("text_model.") for name in source.components["text_encoder"].tensors)


def test_the_family_can_be_merged(family):
    check_mergeable(list(family.values()))
    assert text_encoder_conflict(list(family.values())) is None


def test_reads_any_stretch_of_a_chromosome(family, layouts):
    layout, part = layouts["backbone"], family["flat"].components["unet"]
    whole = torch.cat([part.read(name).reshape(-1).float() for name in layout.names])
    assert torch.equal(part.read_flat(layout, 5, layout.size - 5), whole[5:-5])


def test_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(SourceError, match="is not a folder"):
        open_source(tmp_path / "nothing")
    with pytest.raises(SourceError, match=r"model_index\.json is missing"):
        open_source(tmp_path)


def test_refuses_another_pipeline(copied):
    folder = copied("base")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(SourceError, match="holds a 'FluxPipeline'"):
        open_source(folder)


def test_refuses_a_missing_component(copied):
    folder = copied("base")
    (folder / "text_encoder_2" / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="text_encoder_2 holds no weights"):
        open_source(folder)
    for file in (folder / "text_encoder_2").iterdir():
        file.unlink()
    (folder / "text_encoder_2").rmdir()
    with pytest.raises(SourceError, match="lacks text_encoder_2"):
        open_source(folder)


def test_refuses_a_truncated_file(copied):
    folder = copied("base")
    content = (folder / UNET).read_bytes()
    (folder / UNET).write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match="may be truncated"):
        open_source(folder)


def test_refuses_nan(copied):
    folder = copied("base")
    rewrite(folder, lambda tensors: tensors["conv_in.bias"].fill_(float("nan")))
    with pytest.raises(SourceError, match=r"tensor conv_in\.bias holds NaN"):
        _ = open_source(folder).components["unet"].sha256


def test_refuses_another_shape(copied, family):
    folder = copied("base", "wider")
    rewrite(folder, lambda tensors: tensors.update({"conv_in.bias": torch.zeros(7)}))
    with pytest.raises(
        SourceError, match=r"wider has a UNet .* tensor conv_in\.bias has shape \[7\], its configuration asks"
    ):
        check_mergeable([family["ja"], open_source(folder)])


def test_refuses_another_prediction_type(copied, family):
    folder = copied("base", "other")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prediction_type": "sample"}))
    with pytest.raises(SourceError, match="found sample and v-prediction"):
        check_mergeable([family["ja"], open_source(folder)])


def test_refuses_two_of_one_name(family):
    with pytest.raises(SourceError, match="Two sources are called 'ja'"):
        check_mergeable([family["ja"], family["ja"]])


def test_another_tokenizer_keeps_text_encoders_apart(copied, family):
    folder = copied("base", "other")
    with open(folder / "tokenizer" / "merges.txt", "a") as file:
        file.write("a b\n")
    assert text_encoder_conflict([family["ja"], open_source(folder)]) == "tokenizer of other differs from ja's."
