"""What is published, read in float32, to be measured."""

from __future__ import annotations

import open_clip
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from assets.training.family import SOURCES
from assets.training.settings import DEVICE, FAMILY, SCORERS
from assets.training.unet import TextEncoders


def read_scorer(name: str) -> open_clip.CLIP:
    """A scorer."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{SCORERS / name}", precision="fp32")
    return model.eval().to(DEVICE)


def read_unet(name: str) -> UNet2DConditionModel:
    """The UNet of a source; a LoRA is added to that of base."""
    form = SOURCES[name].form
    owner = name if form == "folder" else "base"
    unet = UNet2DConditionModel.from_pretrained(FAMILY / owner / "unet", torch_dtype=torch.float32)
    alone = FAMILY / f"{name}.safetensors"
    if form == "unet":
        unet.load_state_dict({key: value.float() for key, value in load_file(alone).items()})
    if form == "lora":
        factors = {key: value.float() for key, value in load_file(alone).items()}
        weights = unet.state_dict()
        for key in (key for key in factors if key.endswith(".lora_A.weight")):
            layer = key.removesuffix(".lora_A.weight")
            weights[f"{layer.removeprefix('unet.')}.weight"] += factors[f"{layer}.lora_B.weight"] @ factors[key]
        unet.load_state_dict(weights)
    return unet.eval().to(DEVICE, memory_format=torch.channels_last)


def read_text(name: str) -> TextEncoders:
    """The text encoders of a source, or those of base where it has none of its own."""
    folder = FAMILY / (name if SOURCES[name].form == "folder" else "base")
    text = TextEncoders()
    text.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", torch_dtype=torch.float32)
    text.text_encoder_2 = second
    return text.eval().to(DEVICE)
