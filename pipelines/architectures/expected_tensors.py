"""The tensors that a component has by its configuration: canonical names and shapes, from arithmetic alone.

What diffusers' `UNet2DConditionModel` and `AutoencoderKL` and transformers' CLIP text models build, for the options
that SDXL and its kin use, without importing either library. A configuration with an option that changes the layout in
another way is not understood, and gives nothing to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

Shape = tuple[int, ...]
Named = Iterator[tuple[str, Shape]]

MOST_TENSORS = 1 << 15  # of a component; SDXL's UNet has 1,680
_LARGEST = 1 << 24  # of a width
_UNET_UNKNOWN = (  # options that change the layout, and that no SDXL has
    "class_embed_type",
    "num_class_embeds",
    "encoder_hid_dim",
    "encoder_hid_dim_type",
    "dual_cross_attention",
    "only_cross_attention",
    "mid_block_only_cross_attention",
    "cross_attention_norm",
    "reverse_transformer_layers_per_block",
)


class _NotUnderstood(Exception):
    """A configuration whose layout is not written down here."""


def expected_tensors(component: str, config: Mapping[str, Any]) -> dict[str, Shape] | None:
    """Return the tensors that a component has by its configuration; buffers are not among them.

    Args:
        component: `unet`, `vae`, `text_encoder` or `text_encoder_2`.
        config: content of its `config.json`, which anybody may have written.

    Returns:
        Canonical names and shapes; `None` where the configuration is of another class, or has options that are not
        understood, numbers that are none, or more than `MOST_TENSORS` tensors.
    """
    try:
        named = dict(islice(_TENSORS[component](config), MOST_TENSORS + 1))
    except _NotUnderstood:
        return None
    return named if len(named) <= MOST_TENSORS else None


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST:
        raise _NotUnderstood
    return value


def _numbers(value: object, count: int) -> list[int]:
    """Return one number for each of `count` blocks, of which a configuration names one or all."""
    if isinstance(value, list | tuple):
        if len(value) != count:
            raise _NotUnderstood
        return [_number(one) for one in value]
    return [_number(value)] * count


def _types(config: Mapping[str, Any], key: str, known: Sequence[str], count: int) -> list[str]:
    """Return the classes of a stage's blocks, all of them among those that are known."""
    types = config.get(key)
    if not isinstance(types, list | tuple) or len(types) != count or not set(map(str, types)) <= set(known):
        raise _NotUnderstood
    return list(types)


def _widths(config: Mapping[str, Any]) -> list[int]:
    widths = config.get("block_out_channels")
    if not isinstance(widths, list | tuple) or not widths:
        raise _NotUnderstood
    return _numbers(widths, len(widths))


def _norm(name: str, width: int) -> Named:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _linear(name: str, width: int, out: int, *, bias: bool = True) -> Named:
    yield f"{name}.weight", (out, width)
    if bias:
        yield f"{name}.bias", (out,)


def _convolution(name: str, width: int, out: int, side: int = 3) -> Named:
    yield f"{name}.weight", (out, width, side, side)
    yield f"{name}.bias", (out,)


def _resnet(name: str, width: int, out: int, time: int | None = None) -> Named:
    yield from _norm(f"{name}.norm1", width)
    yield from _convolution(f"{name}.conv1", width, out)
    if time:
        yield from _linear(f"{name}.time_emb_proj", time, out)
    yield from _norm(f"{name}.norm2", out)
    yield from _convolution(f"{name}.conv2", out, out)
    if width != out:
        yield from _convolution(f"{name}.conv_shortcut", width, out, side=1)


def _transformer(name: str, width: int, text: int, blocks: int, *, linear: bool) -> Named:
    def ends(end: str) -> Named:
        return _linear(end, width, width) if linear else _convolution(end, width, width, side=1)

    yield from _norm(f"{name}.norm", width)
    yield from ends(f"{name}.proj_in")
    for number in range(blocks):
        block = f"{name}.transformer_blocks.{number}"
        for part in ("norm1", "norm2", "norm3"):
            yield from _norm(f"{block}.{part}", width)
        for attention, read in (("attn1", width), ("attn2", text)):
            yield from _linear(f"{block}.{attention}.to_q", width, width, bias=False)
            yield from _linear(f"{block}.{attention}.to_k", read, width, bias=False)
            yield from _linear(f"{block}.{attention}.to_v", read, width, bias=False)
            yield from _linear(f"{block}.{attention}.to_out.0", width, width)
        yield from _linear(f"{block}.ff.net.0.proj", width, 8 * width)  # GEGLU: four times, and as many gates
        yield from _linear(f"{block}.ff.net.2", 4 * width, width)
    yield from ends(f"{name}.proj_out")


def _unet(config: Mapping[str, Any]) -> Named:
    if config.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel" or any(
        config.get(key) for key in _UNET_UNKNOWN
    ):
        raise _NotUnderstood
    kinds = {
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "attention_type": "default",
        "resnet_time_scale_shift": "default",
        "time_embedding_type": "positional",
        "conv_in_kernel": 3,
        "conv_out_kernel": 3,
    }
    if any(config.get(key, usual) != usual for key, usual in kinds.items()):
        raise _NotUnderstood
    widths = _widths(config)
    count, text = len(widths), _number(config.get("cross_attention_dim"))
    down = _types(config, "down_block_types", ("DownBlock2D", "CrossAttnDownBlock2D"), count)
    up = _types(config, "up_block_types", ("UpBlock2D", "CrossAttnUpBlock2D"), count)
    layers = _numbers(config.get("layers_per_block", 2), count)
    depths = _numbers(config.get("transformer_layers_per_block", 1), count)
    linear = bool(config.get("use_linear_projection", False))
    time = _number(config.get("time_embedding_dim") or 4 * widths[0])

    yield from _convolution("conv_in", _number(config.get("in_channels", 4)), widths[0])
    yield from _linear("time_embedding.linear_1", widths[0], time)
    yield from _linear("time_embedding.linear_2", time, time)
    if config.get("time_cond_proj_dim"):  # of consistency models
        yield "time_embedding.cond_proj.weight", (widths[0], _number(config["time_cond_proj_dim"]))
    if config.get("addition_embed_type") == "text_time":
        yield from _linear("add_embedding.linear_1", _number(config.get("projection_class_embeddings_input_dim")), time)
        yield from _linear("add_embedding.linear_2", time, time)
    elif config.get("addition_embed_type"):
        raise _NotUnderstood
    before = widths[0]
    for number, (width, kind) in enumerate(zip(widths, down, strict=True)):
        block = f"down_blocks.{number}"
        for layer in range(layers[number]):
            yield from _resnet(f"{block}.resnets.{layer}", before, width, time)
            before = width
            if kind.startswith("Cross"):
                yield from _transformer(f"{block}.attentions.{layer}", width, text, depths[number], linear=linear)
        if number < count - 1:
            yield from _convolution(f"{block}.downsamplers.0.conv", width, width)
    middle = widths[-1]
    yield from _resnet("mid_block.resnets.0", middle, middle, time)
    yield from _transformer("mid_block.attentions.0", middle, text, depths[-1], linear=linear)
    yield from _resnet("mid_block.resnets.1", middle, middle, time)
    for number, (width, kind) in enumerate(zip(widths[::-1], up, strict=True)):
        block, level = f"up_blocks.{number}", count - 1 - number
        skipped = widths[max(level - 1, 0)]  # what the last layer reads of the way down
        for layer in range(layers[level] + 1):
            beside = skipped if layer == layers[level] else width
            yield from _resnet(f"{block}.resnets.{layer}", before + beside, width, time)
            before = width
            if kind.startswith("Cross"):
                yield from _transformer(f"{block}.attentions.{layer}", width, text, depths[level], linear=linear)
        if number < count - 1:
            yield from _convolution(f"{block}.upsamplers.0.conv", width, width)
    yield from _norm("conv_norm_out", widths[0])
    yield from _convolution("conv_out", widths[0], _number(config.get("out_channels", 4)))


def _vae(config: Mapping[str, Any]) -> Named:
    if config.get("_class_name", "AutoencoderKL") != "AutoencoderKL":
        raise _NotUnderstood
    widths = _widths(config)
    count, latents = len(widths), _number(config.get("latent_channels", 4))
    _types(config, "down_block_types", ("DownEncoderBlock2D",), count)
    _types(config, "up_block_types", ("UpDecoderBlock2D",), count)
    layers = _number(config.get("layers_per_block", 1))
    attends = bool(config.get("mid_block_add_attention", True))
    yield from _vae_side("encoder", "down", widths, layers, _number(config.get("in_channels", 3)), attends=attends)
    yield from _convolution("encoder.conv_out", widths[-1], 2 * latents)
    yield from _norm("encoder.conv_norm_out", widths[-1])
    yield from _vae_side("decoder", "up", widths[::-1], layers + 1, latents, attends=attends)
    yield from _norm("decoder.conv_norm_out", widths[0])
    yield from _convolution("decoder.conv_out", widths[0], _number(config.get("out_channels", 3)))
    if config.get("use_quant_conv", True):
        yield from _convolution("quant_conv", 2 * latents, 2 * latents, side=1)
    if config.get("use_post_quant_conv", True):
        yield from _convolution("post_quant_conv", latents, latents, side=1)


def _vae_side(side: str, stage: str, widths: Sequence[int], layers: int, read: int, *, attends: bool) -> Named:
    """Yield what the encoder and the decoder have in common; the widths are in the order of their blocks."""
    middle = widths[-1] if stage == "down" else widths[0]
    yield from _convolution(f"{side}.conv_in", read, widths[0])
    for number in range(2):
        yield from _resnet(f"{side}.mid_block.resnets.{number}", middle, middle)
    if attends:
        attention = f"{side}.mid_block.attentions.0"
        yield from _norm(f"{attention}.group_norm", middle)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from _linear(f"{attention}.{part}", middle, middle)
    before = widths[0]
    for number, width in enumerate(widths):
        block = f"{side}.{stage}_blocks.{number}"
        for layer in range(layers):
            yield from _resnet(f"{block}.resnets.{layer}", before, width)
            before = width
        if number < len(widths) - 1:
            yield from _convolution(f"{block}.{stage}samplers.0.conv", width, width)


def _clip(config: Mapping[str, Any]) -> Named:
    if config.get("model_type", "clip_text_model") != "clip_text_model":
        raise _NotUnderstood
    width, inner = _number(config.get("hidden_size", 512)), _number(config.get("intermediate_size", 2048))
    embeddings = "text_model.embeddings"
    yield f"{embeddings}.token_embedding.weight", (_number(config.get("vocab_size", 49408)), width)
    yield f"{embeddings}.position_embedding.weight", (_number(config.get("max_position_embeddings", 77)), width)
    for number in range(_number(config.get("num_hidden_layers", 12))):
        layer = f"text_model.encoder.layers.{number}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{part}", width, width)
        yield from _norm(f"{layer}.layer_norm1", width)
        yield from _norm(f"{layer}.layer_norm2", width)
        yield from _linear(f"{layer}.mlp.fc1", width, inner)
        yield from _linear(f"{layer}.mlp.fc2", inner, width)
    yield from _norm("text_model.final_layer_norm", width)


def _projecting_clip(config: Mapping[str, Any]) -> Named:
    yield from _clip(config)
    projected = _number(config.get("projection_dim", 512))
    yield "text_projection.weight", (projected, _number(config.get("hidden_size", 512)))


_TENSORS: Mapping[str, Callable[[Mapping[str, Any]], Named]] = {
    "unet": _unet,
    "vae": _vae,
    "text_encoder": _clip,  # of which SDXL reads a hidden state; a projection of it is left out
    "text_encoder_2": _projecting_clip,
}
