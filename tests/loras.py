"""LoRA files for the embedded family: random factors for modules of every kind, in kohya's and in diffusers' naming."""

import functools

import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

import assets
from pipelines.checkpoints.sources import open_source

BASE = assets.FAMILY / "base"
SCALE, RANK, ALPHA = 0.8, 4, 3.0
TRANSFORMER = "transformer_blocks.0"
# Canonical modules and the names that kohya's trainer gives them, which trains SDXL under SGM's names
UNET = {
    "conv_in": "lora_unet_input_blocks_0_0",
    "time_embedding.linear_1": "lora_unet_time_embed_0",
    "add_embedding.linear_2": "lora_unet_label_emb_0_2",
    "down_blocks.0.resnets.0.conv1": "lora_unet_input_blocks_1_0_in_layers_2",
    f"down_blocks.0.attentions.0.{TRANSFORMER}.attn1.to_q": (
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q"
    ),
    "down_blocks.0.downsamplers.0.conv": "lora_unet_input_blocks_2_0_op",
    "down_blocks.1.resnets.0.time_emb_proj": "lora_unet_input_blocks_3_0_emb_layers_1",
    "down_blocks.1.resnets.0.conv_shortcut": "lora_unet_input_blocks_3_0_skip_connection",
    "down_blocks.1.attentions.0.proj_in": "lora_unet_input_blocks_3_1_proj_in",
    "mid_block.resnets.1.conv2": "lora_unet_middle_block_2_out_layers_3",
    f"mid_block.attentions.0.{TRANSFORMER}.attn2.to_k": "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_k",
    f"mid_block.attentions.0.{TRANSFORMER}.attn2.to_out.0": (
        "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_out_0"
    ),
    f"up_blocks.0.attentions.1.{TRANSFORMER}.ff.net.0.proj": (
        "lora_unet_output_blocks_1_1_transformer_blocks_0_ff_net_0_proj"
    ),
    "up_blocks.0.upsamplers.0.conv": "lora_unet_output_blocks_1_2_conv",
    f"up_blocks.1.attentions.0.{TRANSFORMER}.ff.net.2": "lora_unet_output_blocks_2_1_transformer_blocks_0_ff_net_2",
    "conv_out": "lora_unet_out_2",
}
ENCODER = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1", "encoder.layers.2.self_attn.out_proj"]


@functools.cache
def factors():
    """Random factors: component to canonical module to (down, up), float32."""
    generator = torch.Generator().manual_seed(0)
    base = open_source(BASE)

    def pair(shape):
        down = torch.randn(RANK, *shape[1:], generator=generator) * 0.1
        return down, torch.randn(shape[0], RANK, *(1 for _ in shape[2:]), generator=generator) * 0.1

    modules = {"unet": UNET}
    for part in ("text_encoder", "text_encoder_2"):
        modules[part] = [f"text_model.{module}" for module in ENCODER]
    return {
        part: {module: pair(base.components[part].tensors[f"{module}.weight"].shape) for module in names}
        for part, names in modules.items()
    }


def diffusers_lora(path):
    """Write the factors as diffusers saves them, with an alpha that is not the rank."""
    layers = {
        part: {
            f"{module}.{role}.weight": tensor
            for module, pair in named.items()
            for role, tensor in zip(("lora_A", "lora_B"), pair, strict=True)
        }
        for part, named in factors().items()
    }
    config = {"r": RANK, "lora_alpha": ALPHA}
    StableDiffusionXLPipeline.save_lora_weights(
        path.parent,
        unet_lora_layers=layers["unet"],
        text_encoder_lora_layers=layers["text_encoder"],
        text_encoder_2_lora_layers=layers["text_encoder_2"],
        unet_lora_adapter_metadata={**config, "target_modules": list(UNET)},
        text_encoder_lora_adapter_metadata={**config, "target_modules": ENCODER},
        text_encoder_2_lora_adapter_metadata={**config, "target_modules": ENCODER},
        weight_name=path.name,
    )
    return path


def kohya_lora(factors, path, **rename):
    """Write the factors in kohya's naming."""
    prefixes = {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
    tensors = {}
    for part, named in factors.items():
        for module, (down, up) in named.items():
            name = UNET[module] if part == "unet" else prefixes[part] + module.replace(".", "_")
            name = rename.get(name, name)
            tensors |= {
                f"{name}.lora_down.weight": down,
                f"{name}.lora_up.weight": up,
                f"{name}.alpha": torch.tensor(ALPHA),
            }
    save_file(tensors, path)
    return path


def values(component, name):
    """A whole tensor as weaving reads it: float32."""
    out = torch.empty(torch.Size(component.tensors[name].shape).numel())
    component.fill(name, 0, out)
    return out.reshape(component.tensors[name].shape)
