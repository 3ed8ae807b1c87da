"""Which module of a single file each canonical module is, read off the structure that the names show.

The numbers in both namings follow from levels, layers, and which layers have attention. A down block's layers and its
downsampler take one number of `input_blocks` each; an up block's layers take one of `output_blocks` each, and its
upsampler stands in the last of them, after the resnet and the attention. The same rules serve SDXL, its refiner,
Stable Diffusion's UNets and small models.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pipelines.errors import SourceError

# Canonical beginnings of names to the file's: modules, which end in a dot, and whole names. First those that follow
# from no structure, then what is inside layers.
_FIXED = {
    "unet": {
        "time_embedding.linear_1.": "time_embed.0.",
        "time_embedding.linear_2.": "time_embed.2.",
        "add_embedding.linear_1.": "label_emb.0.0.",
        "add_embedding.linear_2.": "label_emb.0.2.",
        "conv_in.": "input_blocks.0.0.",
        "conv_norm_out.": "out.0.",
        "conv_out.": "out.2.",
    },
    "vae": {"quant_conv.": "quant_conv.", "post_quant_conv.": "post_quant_conv."},
    "text_encoder": {"text_model.": "text_model.", "text_projection.weight": "text_projection.weight"},
    "text_encoder_2": {
        "text_model.embeddings.token_embedding.": "token_embedding.",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.final_layer_norm.": "ln_final.",
        "text_projection.weight": "text_projection",
        "logit_scale": "logit_scale",
    },
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ATTENTION = {part: part for part in ("norm", "proj_in", "transformer_blocks", "proj_out")}
_VAE_RESNET = {**{part: part for part in ("norm1", "conv1", "norm2", "conv2")}, "conv_shortcut": "nin_shortcut"}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_VAE_ENDS = {"conv_in": "conv_in", "conv_norm_out": "norm_out", "conv_out": "conv_out"}
_CLIP_G_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_DEPTH = 6  # dots in the longest module's name, such as `decoder.up_blocks.0.resnets.0.conv_shortcut.`
_MOST_DIGITS = 3  # of a block's number; a file may name any


def module_table(component: str, names: Iterable[str], *, canonical: bool) -> dict[str, str]:
    """Map the modules of a component to those of a single file, by the structure that its tensors show.

    Args:
        component: `unet`, `vae`, `text_encoder` or `text_encoder_2`.
        names: its tensors, which show its structure.
        canonical: whether they have canonical names, or the file's.

    Returns:
        Canonical modules and whole names to the file's, which are without the component's prefix. Modules end in a
        dot. No entry is the beginning of another, in either naming.

    Raises:
        SourceError: a UNet of canonical names whose blocks have no place in a single file.
    """
    modules = {prefix for name in names for prefix in _prefixes(name)}
    table = dict(_FIXED[component])
    if component == "unet" and canonical:
        down, up = _blocks(modules, "down_blocks", "downsamplers"), _blocks(modules, "up_blocks", "upsamplers")
        table |= _unet_modules(down, up)
    elif component == "unet":
        table |= _unet_modules(_file_blocks(modules, "input_blocks", first=1), _file_blocks(modules, "output_blocks"))
    elif component == "vae" and canonical:
        table |= _vae_modules(*_levels(modules, "encoder.down_blocks.", "decoder.up_blocks.", "resnets", _count))
    elif component == "vae":
        encoder, decoder = _levels(modules, "encoder.down.", "decoder.up.", "block", _extent)
        table |= _vae_modules(encoder, decoder[::-1])
    elif component == "text_encoder_2":
        stem, file_stem = "text_model.encoder.layers.", "transformer.resblocks."
        for layer in range(_count(modules, stem) if canonical else _extent(modules, file_stem)):
            table |= _parts_of(f"{stem}{layer}", f"{file_stem}{layer}", _CLIP_G_LAYER)
    return table


def translate_name(name: str, table: Mapping[str, str]) -> str | None:
    """Return `name` with its module replaced as `table` says; `None` where it begins with none of its entries."""
    prefix = next((prefix for prefix in _prefixes(name) if prefix in table), None)
    return None if prefix is None else table[prefix] + name.removeprefix(prefix)


def _prefixes(name: str) -> Iterator[str]:
    """Yield `a.`, `a.b.` and `a.b.c` of `a.b.c`; no further than modules go, as the names in a file may be hostile."""
    for dot in itertools.islice(re.finditer(r"\.", name), _DEPTH):
        yield name[: dot.end()]
    yield name


def _parts_of(module: str, file_module: str, parts: Mapping[str, str]) -> dict[str, str]:
    """Return the entries for the parts of one module, which is `file_module` in the file."""
    return {f"{module}.{part}.": f"{file_module}.{file_part}." for part, file_part in parts.items()}


def _count(modules: set[str], stem: str) -> int:
    """Return the first number for which there is no module `stem0.`, `stem1.`, ..."""
    return next(number for number in itertools.count() if f"{stem}{number}." not in modules)


def _extent(modules: set[str], stem: str) -> int:
    """Return one more than the highest number of the modules `stem0.`, `stem1.`, ..., of which some may be missing.

    So a file that lacks a layer lacks that layer, and none of those behind it. A number far beyond the others is
    somebody else's: two thirds of those up to the highest are there.
    """
    found = (module[len(stem) :].partition(".")[0] for module in modules if module.startswith(stem))
    numbers = sorted({int(one) for one in found if one.isdecimal() and len(one) <= _MOST_DIGITS})
    return max((one + 1 for rank, one in enumerate(numbers, 1) if 3 * rank >= 2 * (one + 1)), default=0)


class _Block(NamedTuple):
    """The structure of one down- or upsampling block of a UNet."""

    attended: tuple[bool, ...]  # one per layer: whether attention follows the resnet
    sampled: bool  # whether a down- or upsampler ends the block


def _blocks(modules: set[str], stage: str, sampler: str) -> list[_Block]:
    """Return the structure of `down_blocks` or `up_blocks`."""
    blocks = []
    count = _count(modules, f"{stage}.")
    for number in range(count):
        block = f"{stage}.{number}"
        layers = range(_count(modules, f"{block}.resnets."))
        sampled = f"{block}.{sampler}.0.conv." in modules
        if not layers or not (sampled or number == count - 1):
            raise SourceError(
                "{block} has no place in a single file. Expected resnets in every block and {sampler} in all but the "
                "last; if the UNet is complete, export a diffusers folder instead.",
                block=block,
                sampler=sampler,
            )
        blocks.append(_Block(tuple(f"{block}.attentions.{layer}." in modules for layer in layers), sampled))
    return blocks


def _file_blocks(modules: set[str], stage: str, first: int = 0) -> list[_Block]:
    """Return the structure of `input_blocks` (whose number 0 is conv_in) or `output_blocks`: a sampler ends a block."""
    blocks: list[_Block] = []
    attended: list[bool] = []
    for number in range(first, _extent(modules, f"{stage}.")):
        layer = f"{stage}.{number}"
        downsampler, upsampler = f"{layer}.0.op." in modules, {f"{layer}.1.conv.", f"{layer}.2.conv."} & modules
        if not downsampler:  # which stands alone, while an upsampler follows a layer
            attended.append(any(f"{layer}.1.{part}." in modules for part in _ATTENTION))
        if downsampler or upsampler:
            blocks.append(_Block(tuple(attended), sampled=True))
            attended = []
    return [*blocks, _Block(tuple(attended), sampled=False)] if attended else blocks


def _unet_modules(down: Sequence[_Block], up: Sequence[_Block]) -> dict[str, str]:
    table = {
        **_parts_of("mid_block.resnets.0", "middle_block.0", _RESNET),
        **_parts_of("mid_block.attentions.0", "middle_block.1", _ATTENTION),
        **_parts_of("mid_block.resnets.1", "middle_block.2", _RESNET),
    }
    for stage, file_stage, blocks, place in (("down", "input", down, 1), ("up", "output", up, 0)):
        for number, block in enumerate(blocks):
            name = f"{stage}_blocks.{number}"
            for layer, attended in enumerate(block.attended):
                file_layer = f"{file_stage}_blocks.{place}"
                table |= _parts_of(f"{name}.resnets.{layer}", f"{file_layer}.0", _RESNET)
                if attended:
                    table |= _parts_of(f"{name}.attentions.{layer}", f"{file_layer}.1", _ATTENTION)
                place += 1
            if block.sampled and stage == "down":
                table[f"{name}.downsamplers.0.conv."] = f"input_blocks.{place}.0.op."
                place += 1
            elif block.sampled:  # in the last layer's place, after what is there
                after = 2 if block.attended[-1] else 1
                table[f"{name}.upsamplers.0.conv."] = f"output_blocks.{place - 1}.{after}.conv."
    return table


def _levels(
    modules: set[str], encoder: str, decoder: str, layers: str, count: Callable[[set[str], str], int]
) -> tuple[list[int], list[int]]:
    """Count the layers of each level of the VAE's encoder and decoder; the decoder has as many levels at least."""
    depth = count(modules, encoder)
    return (
        [count(modules, f"{encoder}{level}.{layers}.") for level in range(depth)],
        [count(modules, f"{decoder}{level}.{layers}.") for level in range(max(depth, count(modules, decoder)))],
    )


def _vae_modules(encoder: Sequence[int], decoder: Sequence[int]) -> dict[str, str]:
    table: dict[str, str] = {}
    for side, stage, levels in (("encoder", "down", encoder), ("decoder", "up", decoder)):
        table |= _parts_of(side, side, _VAE_ENDS)
        table |= _parts_of(f"{side}.mid_block.resnets.0", f"{side}.mid.block_1", _VAE_RESNET)
        table |= _parts_of(f"{side}.mid_block.attentions.0", f"{side}.mid.attn_1", _VAE_ATTENTION)
        table |= _parts_of(f"{side}.mid_block.resnets.1", f"{side}.mid.block_2", _VAE_RESNET)
        for number, layers in enumerate(levels):
            level = number if side == "encoder" else len(levels) - 1 - number
            block, file_block = f"{side}.{stage}_blocks.{number}", f"{side}.{stage}.{level}"
            table[f"{block}.{stage}samplers.0.conv."] = f"{file_block}.{stage}sample.conv."
            for layer in range(layers):
                table |= _parts_of(f"{block}.resnets.{layer}", f"{file_block}.block.{layer}", _VAE_RESNET)
    return table
