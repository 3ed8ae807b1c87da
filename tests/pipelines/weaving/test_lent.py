"""What a host lends in a wider precision than its file's is rounded once, with the LoRA that is on it."""

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.full_keys import small_sdxl


def test_a_lent_encoder_with_a_lora_is_not_rounded_through_float16(tmp_path):
    folder = small_sdxl(tmp_path / "small", seed=0)
    name = "text_model.encoder.layers.0.mlp.fc1.weight"
    weight = load_file(folder / "text_encoder" / "model.safetensors")[name]
    assert weight.dtype == torch.float16
    drawn = torch.Generator().manual_seed(0)
    up, down = torch.randn(weight.shape[0], 2, generator=drawn), torch.randn(2, weight.shape[1], generator=drawn)
    stem = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
    save_file(
        {f"{stem}.lora_up.weight": up, f"{stem}.lora_down.weight": down, f"{stem}.alpha": torch.tensor(2.0)},
        tmp_path / "ink.safetensors",
    )
    source = open_source_uri(f"{folder} + 0.013 * {tmp_path / 'ink.safetensors'}")
    recipe = blend([source], {"attention": [1.0], "backbone": [1.0]}, host={"default": source.name})
    exact = weight.double().numpy() + 0.013 * (up.double() @ down.double()).numpy()
    for dtype, most in ((torch.float32, 1e-7), (torch.float16, 1e-3)):
        plan = Plan(recipe, {source.name: source}, dtype=dtype)
        (tensor,) = [one for one in plan.tensor_plans("text_encoder") if one.name == name]
        assert tensor.spans is None
        error = np.abs(plan.build_tensor(tensor).double().numpy() - exact) / np.maximum(np.abs(exact), 0.1)
        assert error.max() < most
