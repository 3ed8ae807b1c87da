"""A merge that is no weighted sum, over a base in eight bits: what is computed is read as it is computed."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.interchange.importing import import_documents
from pipelines.interchange.method_component import method_components
from pipelines.interchange.reading import parse_documents

KEY = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight"
NAME = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"


class Reached(Exception):
    """What would be woven is known."""


def test_what_is_computed_is_not_taken_for_the_eight_bits_of_the_base(trio, tmp_path):
    tensors = load_file(trio["base"])
    save_file(tensors | {KEY: tensors[KEY].to(torch.float8_e4m3fn)}, tmp_path / "base.safetensors")
    document = (
        "merge_method: ties\nbase_model: base.safetensors\n"
        f"models: [{{model: {trio['anime']}}}, {{model: {trio['photo']}}}]\nparameters: {{weight: 1, density: 0.5}}\n"
    )
    reached = []

    def weave(merge):
        reached.append(merge)
        raise Reached

    with pytest.raises(Reached):
        import_documents(parse_documents(document, "merge.yaml"), name="made", relative_to=tmp_path, weave=weave)
    (merge,) = reached
    component = method_components(merge, 0)["unet"]
    size = tensors[KEY].numel()
    filled = torch.empty(size)
    component.fill(NAME, 0, filled)
    assert torch.equal(filled, component.read_elements(NAME, 0, size).float())
    assert not torch.equal(filled, merge.base.components["unet"].read(NAME).float().reshape(-1))
