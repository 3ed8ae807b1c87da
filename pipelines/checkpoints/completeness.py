"""Whether a component is whole: its names and shapes against its configuration.

The one check, for a source that is opened and for a plan that is made. Where a configuration came with the weights,
that is what they are held against. Where none did, SDXL's published one was taken, whose widths follow the weights
here: which layers there are is checked, and that the shapes go together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.architectures.expected_tensors import expected_tensors
from pipelines.architectures.keys import is_buffer
from pipelines.errors import Phrase

from .component import Component
from .contents import CheckpointContents

Shape = tuple[int, ...]
PARTS = {"unet": "UNet", "vae": "VAE", "text_encoder": "CLIP-L", "text_encoder_2": "CLIP-G"}  # as people call them
_TRANSFORMER_BLOCKS = 70  # of a UNet that was not distilled into another layout
_MOST_PLACES = 4  # that are named; the others are counted
_STAGES = {
    "text_projection": "projection",
    "conv_in": "first convolution",
    "conv_out": "last convolution",
    "conv_norm_out": "last norm",
    "time_embedding": "time embedding",
    "add_embedding": "embedding of sizes",
    "mid_block": "middle block",
    "quant_conv": "quant_conv",
    "post_quant_conv": "post_quant_conv",
    "encoder": "encoder",
    "decoder": "decoder",
}


@dataclass(frozen=True)
class Shortfall:
    """What keeps a component from being whole.

    Attributes:
        component: `unet`, `vae`, `text_encoder` or `text_encoder_2`.
        expected: how many tensors its configuration asks for.
        missing: those that are not there, by canonical name.
        misshapen: those of another shape: canonical name, the shape it has, and the one that is asked for.
        assumed: whether the configuration is SDXL's, for want of one that came with the weights.
    """

    component: str
    expected: int
    missing: tuple[str, ...]
    misshapen: tuple[tuple[str, Shape, Shape], ...]
    assumed: bool = False

    def sentence(self) -> str:
        """Say what is missing or does not fit, in words; it follows the name of the source."""
        part = PARTS[self.component]
        if not self.missing:
            name, found, wanted = self.misshapen[0]
            more = Phrase(", and so in {more} more", more=len(self.misshapen) - 1) if len(self.misshapen) > 1 else ""
            asks = Phrase("the other tensors ask") if self.assumed else Phrase("its configuration asks")
            return Phrase(
                "has a {part} ({component}) that is not what its configuration says: tensor {name} has shape "
                "{found}, {asks} for {wanted}{more}",
                part=part,
                component=self.component,
                name=name,
                found=list(found),
                asks=asks,
                wanted=list(wanted),
                more=more,
            )
        places = describe_places(self.missing)
        return Phrase(
            "has a {part} ({component}) that is not whole: {missing} of {expected} tensors are missing, of {places}",
            part=part,
            component=self.component,
            missing=len(self.missing),
            expected=self.expected,
            places=places,
        )


def shortfall(component: Component, config: Mapping[str, Any] | None, *, assumed: bool = False) -> Shortfall | None:
    """Compare a component with its configuration.

    Args:
        component: its names and shapes, with buffers or without.
        config: content of its `config.json`; `None` where there is none.
        assumed: whether that is SDXL's, for want of one that came with the weights.

    Returns:
        What keeps it from being whole; `None` where it is, or where its configuration is not understood.
    """
    shapes = {name: ref.shape for name, ref in component.tensors.items()}
    fitted = _with_widths_of(component.name, shapes, config or {}) if assumed else config
    expected = expected_tensors(component.name, fitted) if fitted and component.name in PARTS else None
    if expected is None:
        return None
    missing = tuple(name for name in expected if name not in shapes)
    misshapen = tuple(
        (name, shapes[name], shape) for name, shape in expected.items() if shapes.get(name, shape) != shape
    )
    if not (missing or misshapen):
        return None
    return Shortfall(component.name, len(expected), missing, misshapen, assumed)


def _unexpected(component: Component, config: Mapping[str, Any] | None) -> list[str]:
    """Return the tensors of a component that its configuration does not ask for, and that are no buffers."""
    expected = expected_tensors(component.name, config) if config and component.name in PARTS else None
    if expected is None:
        return []
    return [name for name in component.tensors if name not in expected and not is_buffer(name)]


def find_shortfalls(contents: CheckpointContents) -> dict[str, Shortfall]:
    """Return what keeps the components of a checkpoint from being whole, by component; empty where all are."""
    assumed = not contents.has_configs
    if assumed and "unet" in contents.components and not _is_sdxl_sized(contents.components["unet"]):
        return {}  # SDXL's configuration says nothing of it
    found = {
        name: shortfall(part, contents.configs.get(name), assumed=assumed) for name, part in contents.components.items()
    }
    return {name: short for name, short in found.items() if short}


def find_strange_keys(contents: CheckpointContents) -> tuple[str, ...]:
    """Return the keys that belong to nothing known: those of a file that are left out, and what no layer reads."""
    configs = contents.configs if contents.has_configs else {}
    extra = [key for name, part in contents.components.items() for key in _unexpected(part, configs.get(name))]
    return (*contents.strange_keys, *extra)


def describe_places(names: Iterable[str]) -> str:
    """Say in words where tensors belong, and how many of them: `layer 31 (16), projection (1)`."""
    counts: dict[str, int] = {}
    for name in names:
        place = _place(name)
        counts[place] = counts.get(place, 0) + 1
    named = [f"{place} ({count})" for place, count in list(counts.items())[:_MOST_PLACES]]
    rest = list(counts.values())[_MOST_PLACES:]
    return ", ".join([*named, *([f"{len(rest)} other places ({sum(rest)})"] if rest else [])])


def _place(name: str) -> str:
    """Return the part of a component that a tensor belongs to, in words."""
    stage, _, rest = name.partition(".")
    if stage in ("down_blocks", "up_blocks"):
        return f"{stage.removesuffix('_blocks')} block {rest.partition('.')[0]}"
    if stage == "text_model":
        parts = rest.split(".")
        if parts[:2] == ["encoder", "layers"] and len(parts) > 2:
            return f"layer {parts[2]}"
        return "last norm" if parts[0] == "final_layer_norm" else "embeddings"
    return _STAGES.get(stage, stage)


def _is_sdxl_sized(unet: Component) -> bool:
    """Return whether a UNet has as many transformer blocks as SDXL's, or lacks a few; distilled ones have half."""
    blocks = sum(name.endswith(".attn1.to_q.weight") for name in unet.tensors)
    return 6 * blocks > 5 * _TRANSFORMER_BLOCKS


def _with_widths_of(component: str, shapes: Mapping[str, Shape], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the widths that tensors have, where they say it; its layers stay as they are."""

    def width(name: str, axis: int, otherwise: Any) -> Any:
        shape = shapes.get(name, ())
        return shape[axis] if len(shape) > axis else otherwise

    fitted = dict(config)
    for key, (name, axis) in _WIDTHS[component].items():
        fitted[key] = width(name, axis, config.get(key))
    if component in _LEVELS:
        down, up = _LEVELS[component]
        levels = list(enumerate(config["block_out_channels"]))
        fitted["block_out_channels"] = [
            width(
                f"{down}.{level}.resnets.0.conv1.weight",
                0,
                width(f"{up}.{len(levels) - 1 - level}.resnets.0.conv1.weight", 0, published),
            )
            for level, published in levels
        ]
    return fitted


_LEVELS = {"unet": ("down_blocks", "up_blocks"), "vae": ("encoder.down_blocks", "decoder.up_blocks")}
_CLIP_WIDTHS = {
    "hidden_size": ("text_model.embeddings.token_embedding.weight", 1),
    "vocab_size": ("text_model.embeddings.token_embedding.weight", 0),
    "max_position_embeddings": ("text_model.embeddings.position_embedding.weight", 0),
    "intermediate_size": ("text_model.encoder.layers.0.mlp.fc1.weight", 0),
    "projection_dim": ("text_projection.weight", 0),
}
#: By component: the key of a configuration, and the tensor and the axis that show it.
_WIDTHS: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "unet": {
        "in_channels": ("conv_in.weight", 1),
        "out_channels": ("conv_out.weight", 0),
        "time_embedding_dim": ("time_embedding.linear_1.weight", 0),
        "projection_class_embeddings_input_dim": ("add_embedding.linear_1.weight", 1),
        "cross_attention_dim": ("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1),
    },
    "vae": {
        "in_channels": ("encoder.conv_in.weight", 1),
        "out_channels": ("decoder.conv_out.weight", 0),
        "latent_channels": ("decoder.conv_in.weight", 1),
    },
    "text_encoder": _CLIP_WIDTHS,
    "text_encoder_2": _CLIP_WIDTHS,
}
