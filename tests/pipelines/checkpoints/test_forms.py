"""Every form in and every form out: the same weights, whatever they came in and go out as.

What is written of a folder is looked at tensor by tensor: against the folder's own tensors, a single file after
diffusers' converters made the folder's names of it. What is written of all other forms equals that to the last bit.
"""

import json
import re
from pathlib import Path

import accelerate
import pytest
import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from pipelines.architectures.sdxl_single_file import LOGIT_SCALE, POSITION_IDS, PREFIXES
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import open_source
from pipelines.exporting.export import PRECISIONS, export_file, export_folder
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.file_forms import PARTS, WHOLE, forms_place
from tests.full_keys import FILES, small_sdxl, tensors_of

DOCS = Path(__file__).parents[3] / "docs"
ROWS = {"attention": [1.0], "backbone": [1.0]}
WRITTEN = {
    "folder": (export_folder, "fp16"),
    "file": (export_file, "fp16"),
    "file in fp8": (export_file, "fp8"),
}
ROUNDED = {"folder in bf16": (export_folder, "bf16"), "file in fp32": (export_file, "fp32")}  # a dtype alone differs
# What fp8 leaves in fp16, by names of diffusers: norms, biases, embeddings, the first and the last layer.
_WHOLE_IN_FP8 = re.compile(r"norm|\.bias$|embed|^conv_(in|out)\.|^text_projection|^(text_model\.)?final")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_sdxl(tmp_path_factory.mktemp("small") / "folder", seed=1)


@pytest.fixture(scope="module")
def hashes(folder):
    """Those of the folder, which is what decides: its files are read as they are."""
    return {part: component.sha256 for part, component in open_source(folder).components.items()}


def write_all(source, place, forms):
    """The source in several forms, by their names."""
    recipe = blend([source], ROWS, host={"default": "one"})
    return {
        name: write(Plan(recipe, {"one": source}, dtype=PRECISIONS[precision]), place / f"{number}.safetensors")
        for number, (name, (write, precision)) in enumerate(forms.items())
    }


def stored(path):
    """What is written: the bytes of each file of weights. The constant `logit_scale` is not one of the weights."""
    files = [path / part / name for part, name in FILES.items()] if path.is_dir() else [path]
    return [_without_logit_scale(file.read_bytes()) for file in files]


def _without_logit_scale(content):
    length = 8 + int.from_bytes(content[:8], "little")
    found = re.search(rb'"%b":\{[^}]*"data_offsets":\[(\d+),(\d+)\]' % LOGIT_SCALE.encode(), content[:length])
    begin, end = map(int, found.groups()) if found else (0, 0)
    return content[: length + begin] + content[length + end :]


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    """What the folder is written as, by form out."""
    place = tmp_path_factory.mktemp("expected")
    written = write_all(open_source(folder, name="one"), place, WRITTEN | ROUNDED)
    return {name: (path, stored(path)) for name, path in written.items()}


def as_diffusers_names(path, folder):
    """The components of what is written, by diffusers' names, as diffusers itself converts a single file."""
    if path.is_dir():
        return tensors_of(path)
    tensors = load_file(path)
    configs = {part: json.loads((folder / part / "config.json").read_text()) for part in FILES}
    with accelerate.init_empty_weights():
        model = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(configs["text_encoder_2"]))
    clip_g = PREFIXES["text_encoder_2"]
    return {
        "unet": single_file_utils.convert_ldm_unet_checkpoint(dict(tensors), configs["unet"]),
        "vae": single_file_utils.convert_ldm_vae_checkpoint(dict(tensors), configs["vae"]),
        "text_encoder": single_file_utils.convert_ldm_clip_checkpoint(
            {key: tensor for key, tensor in tensors.items() if key != POSITION_IDS}
        ),
        "text_encoder_2": single_file_utils.convert_open_clip_checkpoint(model, dict(tensors), prefix=clip_g),
    }


@pytest.mark.parametrize("out", WRITTEN | ROUNDED)
def test_a_form_out_has_the_folders_tensors(out, folder, expected):
    precision = PRECISIONS[(WRITTEN | ROUNDED)[out][1]]
    written = as_diffusers_names(expected[out][0], folder)
    for part, tensors in tensors_of(folder).items():
        assert set(written[part]) == set(tensors)
        for name, tensor in tensors.items():
            dtype = precision
            if out.endswith("fp8") and (part == "vae" or tensor.dim() < 2 or _WHOLE_IN_FP8.search(name)):
                dtype = torch.float16
            assert written[part][name].dtype == dtype, (part, name)
            assert torch.equal(written[part][name].float(), tensor.to(dtype).float()), (part, name)


@pytest.mark.parametrize("form", WHOLE)
def test_the_conversion_matrix(form, folder, hashes, expected, tmp_path):
    """A form in, and all forms out of it."""
    source = open_source_uri(WHOLE[form](forms_place(tmp_path, folder), folder), name="one")
    assert {part: component.sha256 for part, component in source.components.items()} == hashes
    assert not source.shortfalls
    assert bool(source.strange_keys) == (form == "with strange keys")
    for out, path in write_all(source, tmp_path, WRITTEN).items():
        assert stored(path) == expected[out][1], out


@pytest.mark.parametrize("out", WRITTEN | ROUNDED)
def test_what_is_written_is_a_whole_form_in(out, hashes, expected):
    written = open_source(expected[out][0])
    assert not written.shortfalls
    assert written.strange_keys == ()
    same = {part for part, component in written.components.items() if component.sha256 == hashes[part]}
    assert same == {"fp16": set(hashes), "fp8": {"vae"}}.get((WRITTEN | ROUNDED)[out][1], set())


@pytest.mark.parametrize("page", ["formats.md", "formats.ja.md"])
def test_the_docs_list_what_is_tried(page):
    """A row for each form in, a column for each form out."""
    text = (DOCS / page).read_text("utf-8")
    table = text[text.index("| `form in` |") :].partition("\n\n")[0]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert [name.strip("`") for name in header[2:]] == list(WRITTEN)
    assert [row[0].strip("`") for row in rows] == list(WHOLE)
    assert f" {len(PARTS)} " in text[text.index(table) :]
    assert all(row[2:] == ["✓"] * len(WRITTEN) for row in rows)


@pytest.mark.parametrize(("part", "form"), PARTS)
def test_a_part_alone_in_every_form(part, form, folder, hashes, tmp_path):
    source = open_source_uri(PARTS[part, form](forms_place(tmp_path, folder), folder))
    assert set(source.components) == {part}
    assert source.components[part].sha256 == hashes[part]
    assert source.problem(part) is None
    assert source.strange_keys == ()
