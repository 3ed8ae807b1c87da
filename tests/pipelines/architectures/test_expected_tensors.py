"""What a configuration asks for: against the modules that diffusers and transformers build, and SDXL's own numbers."""

import json
import math

import accelerate
import pytest
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

import assets
from pipelines.architectures import sdxl
from pipelines.architectures.expected_tensors import MOST_TENSORS, expected_tensors
from pipelines.architectures.keys import canonical_name
from pipelines.checkpoints.sources import open_source
from tests import full_keys
from tests.full_keys import FULL_UNETS, shapes


def built(model_class, config, part):
    """Names and shapes of a module that a library builds, without memory behind it."""
    with accelerate.init_empty_weights():
        model = model_class(config) if isinstance(config, CLIPTextConfig) else model_class(**config)
    return model, {canonical_name(part, name): shape for name, shape in shapes(dict(model.state_dict())).items()}


@pytest.mark.parametrize("name", [*FULL_UNETS, "small", "with a guidance embedding"])
def test_unets_of_diffusers(name):
    options = FULL_UNETS.get(name, full_keys.UNET)
    if name.startswith("with"):
        options = {**options, "time_cond_proj_dim": 24, "layers_per_block": (1, 2, 3), "use_linear_projection": False}
    model, expected = built(UNet2DConditionModel, options, "unet")
    config = json.loads(model.to_json_string())
    assert expected_tensors("unet", config) == expected


@pytest.mark.parametrize("options", [{}, {"mid_block_add_attention": False, "use_quant_conv": False}])
def test_vaes_of_diffusers(options):
    model, expected = built(AutoencoderKL, {**full_keys.VAE, **options}, "vae")
    assert expected_tensors("vae", json.loads(model.to_json_string())) == expected


def test_text_encoders_of_transformers():
    config = CLIPTextConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=3, projection_dim=16, vocab_size=99)
    _, expected = built(CLIPTextModelWithProjection, config, "text_encoder_2")
    written = json.loads(config.to_json_string())
    assert expected_tensors("text_encoder_2", written) == expected
    del expected["text_projection.weight"]
    assert expected_tensors("text_encoder", written) == expected


def test_the_numbers_of_sdxl():
    """Counts of tensors and parameters, as published checkpoints have them."""
    counted = {}
    for part, config in sdxl.CONFIGS.items():
        tensors = expected_tensors(part, config)
        counted[part] = len(tensors), sum(map(math.prod, tensors.values()))
    assert counted == {
        "unet": (1680, 2_567_463_684),
        "vae": (248, 83_653_863),
        "text_encoder": (196, 123_060_480),
        "text_encoder_2": (517, 694_659_840),
    }


@pytest.mark.parametrize("name", assets.NAMES)
def test_the_embedded_family_is_what_its_configurations_say(name):
    source = open_source(assets.FAMILY / name)
    for part, component in source.components.items():
        assert expected_tensors(part, source.config(part)) == {
            tensor: ref.shape for tensor, ref in component.tensors.items()
        }


@pytest.mark.parametrize(
    "change",
    [
        {"_class_name": "UNet3DConditionModel"},
        {"class_embed_type": "timestep"},
        {"addition_embed_type": "image"},
        {"down_block_types": ["DownBlock2D", "AttnDownBlock2D", "CrossAttnDownBlock2D"]},
        {"block_out_channels": []},
        {"block_out_channels": [16, True, 32]},
        {"in_channels": -4},
        {"cross_attention_dim": "wide"},
        {"transformer_layers_per_block": [1, 2]},
        {"transformer_layers_per_block": [1, 2, 1 << 23]},
        {"layers_per_block": 1 << 23},
    ],
)
def test_what_is_not_understood_gives_nothing(change):
    assert expected_tensors("unet", {**sdxl.UNET, **change}) is None


def test_a_number_of_layers_without_end_is_not_counted_to_its_end():
    assert len(expected_tensors("text_encoder", {"num_hidden_layers": 1000})) < MOST_TENSORS
    assert expected_tensors("text_encoder", {"num_hidden_layers": 1 << 20}) is None
