"""Adapters on a few modules of the embedded family's UNet: what a file makes of a base, as a float64 tensor."""

import torch
from safetensors.torch import save_file

from pipelines.checkpoints.source_uri import open_source_uri
from tests.loras import BASE, values

LINEAR = "down_blocks.1.attentions.0.proj_in"
CONV = "down_blocks.0.resnets.0.conv1"
POINT = "down_blocks.1.resnets.0.conv_shortcut"  # a 1x1 convolution
NORM = "down_blocks.1.resnets.0.norm1"
NAMES = {
    LINEAR: "lora_unet_input_blocks_3_1_proj_in",
    CONV: "lora_unet_input_blocks_1_0_in_layers_2",
    POINT: "lora_unet_input_blocks_3_0_skip_connection",
    NORM: "lora_unet_input_blocks_3_0_in_layers_0",
}


def draw(*shape, seed=0, size=0.1):
    """Random values: float32."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * size


def base_weight(module, part="weight"):
    """A tensor of the base: float64."""
    return values(open_source_uri(BASE).components["unet"], f"{module}.{part}").double()


def baked(path, module, tensors, scale=1.0, part="weight", name=None, **other):
    """What a file with these tensors, by role, makes of a module: float64; checked to be the same in odd blocks."""
    named = name or NAMES[module]
    save_file({f"{named}.{role}": tensor.contiguous() for role, tensor in (tensors | other).items()}, path)
    return read_back(open_source_uri(f"{BASE} + {scale} * {path}"), f"{module}.{part}")


def read_back(source, name):
    """A tensor as weaving reads it, whole and in blocks that end inside rows: float64."""
    component = source.components["unet"]
    whole = values(component, name)
    flat, size = whole.reshape(-1), 7 + whole.numel() // 3
    for start in range(0, flat.numel(), size):
        piece = torch.empty(min(size, flat.numel() - start))
        component.fill(name, start, piece)
        assert torch.equal(piece, flat[start : start + len(piece)])
    return whole.double()
