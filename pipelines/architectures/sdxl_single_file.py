"""Single-file (SGM) names of SDXL's tensors, both ways and exact: names and shapes only, never values.

A single file holds the components under prefixes of its own, with the names of the library that trained SDXL. Almost
all of it is renaming modules (`sgm_names`). What is not: CLIP-G packs q, k and v into one tensor and stores its
projection transposed, and the VAE writes its attention as 1x1 convolutions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.errors import SourceError

from .keys import canonical_name
from .sdxl_single_file_names import beginnings, renamed

Shape = tuple[int, ...]
PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "conditioner.embedders.0.transformer.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
POSITION_IDS = PREFIXES["text_encoder"] + "text_model.embeddings.position_ids"  # int64 [1, positions]: 0, 1, 2, ...
LOGIT_SCALE = PREFIXES["text_encoder_2"] + "logit_scale"  # [], which no picture depends on
_PREFIXES_READ = [*PREFIXES.items(), ("text_encoder_2", "conditioner.embedders.0.model.")]  # the last: the refiner's

# What files carry beside the weights: marks of the prediction type, training leftovers, constants of the noise
# schedule, and buffers of the text encoders.
_HARMLESS = re.compile(
    r"^(v_pred|ztsnr|edm_mean|edm_std|betas|lvlb_weights|alphas_cumprod(_prev)?|(sqrt|log)_\w*alphas_cumprod"
    r"|posterior_\w+|(edm_vpred|model_ema|denoiser|first_stage_model\.loss)\..*)$"
    r"|(^|\.)(position_ids|attn_mask|logit_scale)$"
)

_SPLIT = re.compile(r"text_model\.encoder\.layers\.([0-9]+)\.self_attn\.[qkv]_proj\.(weight|bias)")
_PACKED = re.compile(r"transformer\.resblocks\.([0-9]+)\.attn\.in_proj_(weight|bias)")
_CONVOLVED = re.compile(r"mid_block\.attentions\.0\.to_(q|k|v|out\.0)\.weight$")


@dataclass(frozen=True)
class Piece:
    """Where a canonical tensor lies in a single file."""

    key: str  # the file's key
    shape: Shape  # of the canonical tensor; what is stored is reshaped to it
    rows: tuple[int, int] | None = None  # [start, stop) of dimension 0, where the file packs several tensors
    transposed: bool = False  # the file holds the transpose


@dataclass(frozen=True)
class FileTensor:
    """One tensor of a single file and the canonical tensors that make it."""

    key: str
    shape: Shape
    parts: tuple[str, ...]  # canonical names, stacked along dimension 0 in this order, then reshaped
    transposed: bool = False  # the file holds the transpose


def from_single_file(tensors: Mapping[str, Shape]) -> dict[str, dict[str, Piece]]:
    """Where the components' tensors lie in a single file.

    Reads whole checkpoints and UNets alone, these also without prefix or under diffusers' names; CLIP-L with and
    without `text_model.`; the refiner, whose only text encoder is CLIP-G.

    Args:
        tensors: the file's keys and shapes.

    Returns:
        Component to canonical name to piece, for the components that the file holds; keys that belong to none are
        left out (see `unknown`).

    Raises:
        SourceError: two keys for one tensor, or a shape from which the tensor cannot be taken.
    """
    found: dict[str, dict[str, Piece]] = {}
    for component, keys in _by_component(tensors).items():
        named = component == "unet" and any(short.startswith("down_blocks.") for short, _ in keys)
        pairs = beginnings(component, (short for short, _ in keys), canonical=named)
        names = {name if named else file: name for name, file in pairs.items()}
        for short, key in keys:
            for name, piece in _pieces(component, short, Piece(key, tensors[key]), names):
                first = found.setdefault(component, {}).setdefault(name, piece)
                if first != piece:
                    raise SourceError(
                        f"{first.key} and {key} are both the tensor {name}. Expected one key for each tensor; "
                        "the file mixes two layouts: save it again with one tool."
                    )
    return found


def unknown(tensors: Mapping[str, Shape]) -> list[str]:
    """The keys of a single file that belong to no component and are not what usually comes with the weights.

    What comes with them: marks of the prediction type (`v_pred`, `ztsnr`, `edm_vpred.*`), EMA copies, constants of the
    noise schedule, and buffers of the text encoders.
    """
    known = {piece.key for pieces in from_single_file(tensors).values() for piece in pieces.values()}
    return [key for key in tensors if key not in known and not _HARMLESS.search(key)]


def to_single_file(component: str, tensors: Mapping[str, Shape]) -> list[FileTensor]:
    """What a single file holds for a component, in the order of `tensors`.

    Args:
        component: `unet`, `vae`, `text_encoder` or `text_encoder_2`.
        tensors: canonical names and shapes.

    Raises:
        SourceError: a tensor that has no place in a single file; it is named.
    """
    pairs = beginnings(component, tensors, canonical=True)
    files: dict[str, FileTensor] = {}
    for name, shape in tensors.items():
        split = _SPLIT.fullmatch(name) if component == "text_encoder_2" else None
        tensor = _packed(split[1], split[2], tensors) if split else _renamed(component, name, shape, pairs)
        files.setdefault(tensor.key, tensor)
    return list(files.values())


def _by_component(tensors: Mapping[str, Shape]) -> dict[str, list[tuple[str, str]]]:
    """Component to its keys in a file, each without and with the component's prefix."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for key in tensors:
        for component, prefix in _PREFIXES_READ:
            if key.startswith(prefix):
                parts.setdefault(component, []).append((key.removeprefix(prefix), key))
    if "unet" not in parts and any(key.startswith(("input_blocks.", "down_blocks.")) for key in tensors):
        parts["unet"] = [(key, key) for key in tensors]
    return parts


def _pieces(component: str, short: str, whole: Piece, names: Mapping[str, str]) -> Iterator[tuple[str, Piece]]:
    """The canonical tensors that one key of a file holds; `short` is the key without its component's prefix."""
    key, shape = whole.key, whole.shape
    if component == "text_encoder_2" and (packed := _PACKED.fullmatch(short)):
        if not shape or shape[0] % 3:
            raise SourceError(f"{key} has shape {list(shape)}. Expected q, k and v stacked: rows in three equal parts.")
        height = shape[0] // 3
        for place, name in enumerate(_split_names(packed[1], packed[2])):
            yield name, Piece(key, (height, *shape[1:]), rows=(place * height, (place + 1) * height))
        return
    found = renamed(canonical_name(component, short) if component == "text_encoder" else short, names)
    if found is None:
        return
    if _is_transposed(component, found):
        yield found, Piece(key, shape[::-1], transposed=True)
    elif _is_convolved(component, found):
        if len(shape) < 2 or set(shape[2:]) - {1}:
            raise SourceError(f"{key} has shape {list(shape)}. Expected a 1x1 convolution, [c, c, 1, 1].")
        yield found, Piece(key, shape[:2])
    else:
        yield found, whole


def _renamed(component: str, name: str, shape: Shape, pairs: Mapping[str, str]) -> FileTensor:
    key = renamed(name, pairs)
    if key is None:
        raise SourceError(
            f"{name} ({component}) has no place in a single file. Expected diffusers' names of an SDXL checkpoint; "
            "export a diffusers folder instead."
        )
    transposed = _is_transposed(component, name)
    if transposed:
        shape = shape[::-1]
    elif _is_convolved(component, name):
        shape = (*shape, 1, 1)
    return FileTensor(PREFIXES[component] + key, shape, (name,), transposed)


def _packed(layer: str, kind: str, tensors: Mapping[str, Shape]) -> FileTensor:
    parts = _split_names(layer, kind)
    shapes = {tensors.get(part, ()) for part in parts}
    if len(shapes) > 1 or () in shapes:
        found = ", ".join(f"{part}: {list(tensors[part]) if part in tensors else 'missing'}" for part in parts)
        raise SourceError(
            f"A single file packs q, k and v of CLIP-G into one tensor. Expected three of one shape, found {found}; "
            "use a complete text encoder."
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
