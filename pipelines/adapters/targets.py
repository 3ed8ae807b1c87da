"""The tensor of the base that a module's name means, in the spelling of any tool.

A name is a prefix that tells the component, and the module's own name: of diffusers' or of SGM's modules, joined by
dots or underscores. Both are compared with underscores alone, so one table serves every spelling.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.architectures.keys import TEXT_ENCODERS
from pipelines.architectures.sdxl_single_file import PREFIXES, to_single_file
from pipelines.errors import SourceError

from .module import Shape

ComponentShapes = Mapping[str, Mapping[str, Shape]]  # component to canonical names and shapes

_PREFIXES = {
    # kohya, LyCORIS
    "lora_unet_": "unet",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te_": "text_encoder",
    "oft_unet_": "unet",
    "lycoris_": "unet",  # SimpleTuner, which trains the UNet alone with it
    # ComfyUI
    "model_diffusion_model_": "unet",
    "diffusion_model_": "unet",
    "text_encoders_clip_l_transformer_": "text_encoder",
    "text_encoders_clip_g_transformer_": "text_encoder_2",
    "text_encoders_clip_l_": "text_encoder",
    "text_encoders_clip_g_": "text_encoder_2",
    # OneTrainer
    "clip_l_": "text_encoder",
    "clip_g_": "text_encoder_2",
    # diffusers, peft; files of single checkpoints
    "unet_": "unet",
    "text_encoder_2_": "text_encoder_2",
    "text_encoder_": "text_encoder",
    "te1_": "text_encoder",
    "te2_": "text_encoder_2",
    "conditioner_embedders_0_transformer_": "text_encoder",
    "conditioner_embedders_1_model_": "text_encoder_2",
    "vae_": "vae",
    "first_stage_model_": "vae",
    "": "unet",
}
_BY_LENGTH = sorted(_PREFIXES, key=len, reverse=True)
_WRAPPER = "base_model_model_"  # peft's own, around any model
_TEXT = "text_model_"
_OLD_PROJECTIONS = {
    "_self_attn_to_q": "_self_attn_q_proj",
    "_self_attn_to_k": "_self_attn_k_proj",
    "_self_attn_to_v": "_self_attn_v_proj",
    "_self_attn_to_out": "_self_attn_out_proj",
}


@dataclass(frozen=True)
class Target:
    """What a module's name means.

    Attributes:
        component: the component that its prefix names.
        module: the canonical module; `None` where the base does not have the component, or no such module in it.
    """

    component: str
    module: str | None


class TargetTable:
    """The modules of a base by every name that a file may have for them."""

    def __init__(self, base: ComponentShapes) -> None:
        """Take the canonical names and shapes of the base's components."""
        self._components = frozenset(base)
        self._modules = {component: _names(component, shapes) for component, shapes in base.items()}

    def find(self, module: str) -> Target:
        """Return what a module's name means; the longest prefix under which the base has it counts."""
        name = module.replace(".", "_").removeprefix(_WRAPPER).replace("_processor_", "_")
        fitting = [prefix for prefix in _BY_LENGTH if name.startswith(prefix)]
        for prefix in fitting:
            component = _PREFIXES[prefix]
            rest = name.removeprefix(prefix).removeprefix(_WRAPPER)
            table = self._modules.get(component, {})
            found = next((table[spelt] for spelt in _spellings(component, rest) if spelt in table), None)
            if found:
                return Target(component, found)
        return Target(_PREFIXES[fitting[0]], None)

    def has(self, component: str) -> bool:
        """Return whether the base has a component."""
        return component in self._components


def _names(component: str, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return the canonical module by each of its names with underscores: diffusers', and those of a single file."""
    table = {}
    with contextlib.suppress(SourceError):  # what has no place in a single file has no such names either
        for tensor in to_single_file(component, shapes):
            if len(tensor.parts) == 1:
                table[_module(tensor.key.removeprefix(PREFIXES[component]))] = _dotted_module(tensor.parts[0])
    return table | {_module(name): _dotted_module(name) for name in shapes}


def _spellings(component: str, name: str) -> list[str]:
    """Return a module's name, and what older tools or other loaders mean by it."""
    if component in TEXT_ENCODERS:
        for old, new in _OLD_PROJECTIONS.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        return [name, _TEXT + name]
    return [name, f"{name}_0"] if name.endswith("_to_out") else [name]


def _dotted_module(name: str) -> str:
    return name.removesuffix(".weight").removesuffix(".bias")


def _module(name: str) -> str:
    return _dotted_module(name).replace(".", "_")
