"""Single-file (SGM) names of SDXL's tensors, both ways and exact: names and shapes only, never values.

A single file holds the components under prefixes of its own, with the names of the library that trained SDXL. Nearly
all of it is renaming modules (`sdxl_single_file_names`). What is not: CLIP-G packs q, k and v into one tensor and
stores its projection transposed, and the VAE writes its attention as 1x1 convolutions.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.errors import SourceError

from .expected_tensors import expected_tensors
from .keys import canonical_name
from .sdxl import UNET
from .sdxl_single_file_names import module_table, translate_name
from .single_file_prefixes import has_diffusers_names, sort_keys, without_dots

Shape = tuple[int, ...]
PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "conditioner.embedders.0.transformer.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
POSITION_IDS = PREFIXES["text_encoder"] + "text_model.embeddings.position_ids"  # int64 [1, positions]: 0, 1, 2, ...
LOGIT_SCALE = PREFIXES["text_encoder_2"] + "logit_scale"  # [], which no picture depends on

# What files carry beside the weights: marks of the prediction type, training leftovers, constants of the noise
# schedule, and buffers of the text encoders.
_HARMLESS = re.compile(
    r"^(v_pred|ztsnr|edm_mean|edm_std|betas|lvlb_weights|alphas_cumprod(_prev)?|(sqrt|log)_\w*alphas_cumprod"
    r"|posterior_\w+|(edm_vpred|model_ema|denoiser|first_stage_model\.loss)\..*)$"
    r"|(^|\.)(position_ids|attn_mask|logit_scale|scaled_fp8|scale_weight|weight_scale|scale_input|input_scale|comfy_quant)$"
)

_SPLIT = re.compile(r"text_model\.encoder\.layers\.([0-9]+)\.self_attn\.[qkv]_proj\.(weight|bias)")
_PACKED = re.compile(r"transformer\.resblocks\.([0-9]+)\.attn\.in_proj_(weight|bias)")
_CONVOLVED = re.compile(r"mid_block\.attentions\.0\.to_(q|k|v|out\.0)\.weight$")


@dataclass(frozen=True)
class FileSlice:
    """The part of a single file's tensor that is one canonical tensor.

    Attributes:
        key: the file's key.
        shape: of the canonical tensor; what is stored is reshaped to it.
        rows: first row and exclusive end in dimension 0, where the file packs several tensors into one.
        transposed: whether the file holds the transpose.
    """

    key: str
    shape: Shape
    rows: tuple[int, int] | None = None
    transposed: bool = False


@dataclass(frozen=True)
class FileTensor:
    """One tensor of a single file and the canonical tensors that make it.

    Attributes:
        key: the file's key.
        shape: as the file states it.
        parts: canonical names, stacked along dimension 0 in this order, then reshaped.
        transposed: whether the file holds the transpose.
    """

    key: str
    shape: Shape
    parts: tuple[str, ...]
    transposed: bool = False


def from_single_file(tensors: Mapping[str, Shape]) -> dict[str, dict[str, FileSlice]]:
    """Find the components' tensors in a single file.

    Reads whole checkpoints and parts alone, with the prefixes of other programs or without any
    (`single_file_prefixes`), also under diffusers' names; CLIP-L with and without `text_model.`; the refiner, whose
    only text encoder is CLIP-G.

    Args:
        tensors: the file's keys and shapes.

    Returns:
        Component to canonical name to slice, for the components that the file holds; keys that belong to none are
        left out (see `unknown_keys`).

    Raises:
        SourceError: two keys for one tensor, or a shape from which the tensor cannot be taken.
    """
    slices: dict[str, dict[str, FileSlice]] = {}
    for component, keys in sort_keys(tensors, _ema_names()).items():
        shorts = [short for short, _ in keys]
        names = None
        if not has_diffusers_names(component, shorts):
            table = module_table(component, shorts, canonical=False)
            names = {file: name for name, file in table.items()}
        for short, key in keys:
            for name, part in _slices_of(component, short, FileSlice(key, tensors[key]), names):
                first = slices.setdefault(component, {}).setdefault(name, part)
                if first != part:
                    raise SourceError(
                        "{first} and {key} are both the tensor {name}. Expected one key for each tensor; "
                        "the file mixes two layouts: save it again with one tool.",
                        first=first.key,
                        key=key,
                        name=name,
                    )
    return slices


def unknown_keys(tensors: Iterable[str], slices: Mapping[str, Mapping[str, FileSlice]]) -> list[str]:
    """Return the keys of a single file that belong to no component and are not what usually comes with the weights.

    What comes with them: marks of the prediction type (`v_pred`, `ztsnr`, `edm_vpred.*`), EMA copies, constants of the
    noise schedule, and buffers of the text encoders.

    Args:
        tensors: the file's keys.
        slices: what `from_single_file` has found in it.
    """
    placed = {part.key for named in slices.values() for part in named.values()}
    return [key for key in tensors if key not in placed and not _HARMLESS.search(key)]


def to_single_file(component: str, tensors: Mapping[str, Shape]) -> list[FileTensor]:
    """Lay out a component for a single file.

    Args:
        component: `unet`, `vae`, `text_encoder` or `text_encoder_2`.
        tensors: canonical names and shapes.

    Returns:
        The tensors that the file holds for it, in the order of `tensors`.

    Raises:
        SourceError: a tensor that has no place in a single file; it is named.
    """
    return list(_laid_out(component, tuple(tensors.items())))


@functools.lru_cache(maxsize=2 * len(PREFIXES))
def _laid_out(component: str, named: tuple[tuple[str, Shape], ...]) -> tuple[FileTensor, ...]:
    """Do what `to_single_file` says; whoever shows, measures and writes a merge asks for the same one several times."""
    tensors = dict(named)
    table = module_table(component, tensors, canonical=True)
    files: dict[str, FileTensor] = {}
    for name, shape in named:
        split = _SPLIT.fullmatch(name) if component == "text_encoder_2" else None
        tensor = (
            _packed_tensor(split[1], split[2], tensors) if split else _renamed_tensor(component, name, shape, table)
        )
        files.setdefault(tensor.key, tensor)
    return tuple(files.values())


@functools.cache
def _ema_names() -> Mapping[str, str]:
    """SDXL's UNet in a single file, by its names without dots, as moving averages have them."""
    names = expected_tensors("unet", UNET) or {}
    return without_dots(tuple(tensor.key.removeprefix(PREFIXES["unet"]) for tensor in to_single_file("unet", names)))


def _slices_of(
    component: str, short: str, whole: FileSlice, names: Mapping[str, str] | None
) -> Iterator[tuple[str, FileSlice]]:
    """Yield the canonical tensors that one key of a file holds.

    Args:
        component: what it belongs to.
        short: the key without its component's prefix.
        whole: the stored tensor.
        names: the file's modules to canonical ones; `None` where the component has diffusers' names.
    """
    key, shape = whole.key, whole.shape
    if names is None:
        name = canonical_name(component, short)
        squared = _is_convolved(component, name) and not set(shape[2:]) - {1}
        yield name, FileSlice(key, shape[:2]) if squared else whole
        return
    if component == "text_encoder_2" and short == "text_projection.weight":  # as a linear layer has it
        yield short, whole
        return
    if component == "text_encoder_2" and (packed := _PACKED.fullmatch(short)):
        if not shape or shape[0] % 3:
            raise SourceError(
                "{key} has shape {shape}. Expected q, k and v stacked: rows in three equal parts.",
                key=key,
                shape=list(shape),
            )
        height = shape[0] // 3
        for place, name in enumerate(_split_names(packed[1], packed[2])):
            yield name, FileSlice(key, (height, *shape[1:]), rows=(place * height, (place + 1) * height))
        return
    canonical = translate_name(canonical_name(component, short) if component == "text_encoder" else short, names)
    if canonical is None:
        return
    if _is_transposed(component, canonical):
        yield canonical, FileSlice(key, shape[::-1], transposed=True)
    elif _is_convolved(component, canonical):
        if len(shape) < 2 or set(shape[2:]) - {1}:
            raise SourceError(
                "{key} has shape {shape}. Expected a 1x1 convolution, [c, c, 1, 1].", key=key, shape=list(shape)
            )
        yield canonical, FileSlice(key, shape[:2])
    else:
        yield canonical, whole


def _renamed_tensor(component: str, name: str, shape: Shape, table: Mapping[str, str]) -> FileTensor:
    """Return the file's tensor that is one canonical tensor under another name."""
    key = translate_name(name, table)
    if key is None:
        raise SourceError(
            "{name} ({component}) has no place in a single file. Expected diffusers' names of an SDXL checkpoint; "
            "export a diffusers folder instead.",
            name=name,
            component=component,
        )
    transposed = _is_transposed(component, name)
    if transposed:
        shape = shape[::-1]
    elif _is_convolved(component, name):
        shape = (*shape, 1, 1)
    return FileTensor(PREFIXES[component] + key, shape, (name,), transposed)


def _packed_tensor(layer: str, kind: str, tensors: Mapping[str, Shape]) -> FileTensor:
    """Return the file's tensor that packs q, k and v (`kind`: weight or bias) of a layer of CLIP-G."""
    parts = _split_names(layer, kind)
    shapes = {tensors.get(part, ()) for part in parts}
    if len(shapes) > 1 or () in shapes:
        described = ", ".join(f"{part}: {list(tensors[part]) if part in tensors else 'missing'}" for part in parts)
        raise SourceError(
            "A single file packs q, k and v of CLIP-G into one tensor. Expected three of one shape, found "
            "{described}; use a complete text encoder.",
            described=described,
        )
    height, *rest = shapes.pop()
    key = f"{PREFIXES['text_encoder_2']}transformer.resblocks.{layer}.attn.in_proj_{kind}"
    return FileTensor(key, (3 * height, *rest), parts)


def _split_names(layer: str, kind: str) -> tuple[str, ...]:
    return tuple(f"text_model.encoder.layers.{layer}.self_attn.{part}_proj.{kind}" for part in "qkv")


def _is_transposed(component: str, name: str) -> bool:
    return component == "text_encoder_2" and name == "text_projection.weight"


def _is_convolved(component: str, name: str) -> bool:
    return component == "vae" and _CONVOLVED.search(name) is not None
