"""Canonical names of tensors, the order in which they are flattened, and the chromosomes they form.

Canonical names are the keys of diffusers' safetensors FILES. Never those of `module.state_dict()`: transformers drops
`text_model.` from CLIP text models in memory and, for models built from a config, in the files it writes.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np

from pipelines.errors import Phrase, RecipeError
from pipelines.storage.formats import FLOAT_CODES

TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
WEIGHTED_COMPONENTS = ("unet", *TEXT_ENCODERS, "vae")
COMPONENTS = ("unet", "text_encoder", "text_encoder_2", "vae", "tokenizer", "tokenizer_2", "scheduler")
ATTENTION, BACKBONE = "attention", "backbone"
MODEL = "model"  # the one component of any other network
REST = "rest"  # the chromosome of what no pattern takes
SDXL_UNET: Literal["sdxl-unet"] = "sdxl-unet"  # what a recipe calls the architecture of its sources
ANY_NETWORK: Literal["any"] = "any"
Patterns = Mapping[str, Sequence[str]]  # chromosome to glob patterns, in order: the first that matches takes a tensor

_MOST_DIGITS = 400  # of a number in a name; whole numbers are read in quadratic time
_STAGES = (
    "conv_in",
    "time_embedding",
    "add_embedding",
    "down_blocks",
    "mid_block",
    "up_blocks",
    "conv_norm_out",
    "conv_out",
)
_KINDS = {"resnets": 0, "attentions": 1, "downsamplers": 2, "upsamplers": 2}
_AFTER_ALL_LAYERS = 1 << 30
_BUFFERS = frozenset({"position_ids", "attn_mask", "num_batches_tracked"})  # counters and constants
_KEPT_WIDE = ("conv_in.", "conv_out.", "time_embedding.", "add_embedding.", "text_projection.")


_OLD_VAE_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def canonical_name(component: str, file_key: str) -> str:
    """Return the canonical name of a tensor.

    CLIP text models always carry the `text_model.` prefix; a VAE's attention has the names diffusers gives it today.
    """
    if component == "vae" and ".attentions." in file_key:
        module, part, kind = file_key.rsplit(".", 2)
        return f"{module}.{_OLD_VAE_ATTENTION.get(part, part)}.{kind}"
    if component in TEXT_ENCODERS and not file_key.startswith(("text_model.", "text_projection.", "logit_scale")):
        return f"text_model.{file_key}"
    return file_key


def _is_number(part: str) -> bool:
    """Whether a part of a name is a number that can be compared as one; a file may hold digits without end."""
    return part.isdecimal() and len(part) <= _MOST_DIGITS


@functools.lru_cache(maxsize=8192)  # the names of an SDXL checkpoint, three times over
def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that compares runs of digits as numbers: `resnets.2` before `resnets.10`."""
    return tuple((0, int(part), "") if _is_number(part) else (1, 0, part) for part in re.split(r"(\d+)", name) if part)


def sort_key(component: str, name: str) -> tuple[object, ...]:
    """Return the place of a tensor in its component's flattened order.

    A UNet follows its data: (stage, block, layer, kind, name), so that an early split means composition and a late one
    detail. Other components follow the natural order of their keys. This order is part of the recipe format.
    """
    if component != "unet":
        return (natural_key(name),)
    parts = name.split(".")
    stage = _STAGES.index(parts[0]) if parts[0] in _STAGES else len(_STAGES)
    rest = parts[1:]
    block = int(rest.pop(0)) if rest and _is_number(rest[0]) else 0
    kind, layer = 0, 0
    if rest and rest[0] in _KINDS:
        kind = _KINDS[rest[0]]
        layer = _AFTER_ALL_LAYERS if kind == 2 else int(rest[1]) if len(rest) > 1 and _is_number(rest[1]) else 0
    return (stage, block, layer, kind, natural_key(".".join(rest)), natural_key(name))


def is_attention(name: str) -> bool:
    """Return whether a UNet tensor belongs to self- or cross-attention (projections and their biases)."""
    return ".attn1." in name or ".attn2." in name


def is_buffer(name: str) -> bool:
    """Return whether a tensor is no weight by its name, whatever numbers it holds: older merges made some float.

    `logit_scale` is a buffer as CLIP's alone; inside a layer, as in Swin v2, it is learnt.
    """
    return name == "logit_scale" or name.rpartition(".")[2] in _BUFFERS


def is_merged(name: str, dtype: str) -> bool:
    """Return whether a tensor may be interpolated at all: integers and buffers never are."""
    return dtype in FLOAT_CODES and not is_buffer(name)


def fits_eight_bits(component: str, name: str, shape: Sequence[int]) -> bool:
    """Return whether a tensor is written in eight bits by those who ask for them.

    These are linear layers and convolutions inside the UNet and the text encoders. Norms, biases, embeddings, the first
    and the last convolution, and the VAE stay in float16: they are few, and a loss there shows.
    """
    if component == "vae" or len(shape) < 2:
        return False
    return not name.startswith(_KEPT_WIDE) and ".embeddings." not in name


def chromosome_of(component: str, name: str, patterns: Patterns | None = None) -> str:
    """Return the chromosome that a tensor of a merged component belongs to.

    Args:
        component: `unet`, `text_encoder`, `text_encoder_2` or `model`.
        name: the tensor's canonical name.
        patterns: how to regroup a UNet, or to group any other network, if at all.
    """
    if component not in ("unet", MODEL):
        return component
    if patterns is None and component == "unet":
        return ATTENTION if is_attention(name) else BACKBONE
    return _first_match(name, patterns or {})[0]


def _first_match(name: str, patterns: Patterns) -> tuple[str, str]:
    """Return the chromosome and the pattern that take a tensor."""
    pairs = ((chromosome, glob) for chromosome, globs in patterns.items() for glob in globs)
    return next((pair for pair in pairs if fnmatchcase(name, pair[1])), (REST, "*"))


def component_of(chromosome: str, architecture: str = "sdxl-unet") -> str:
    """Return the component that a chromosome is a part of, by a recipe's architecture."""
    if architecture != "sdxl-unet":
        return MODEL
    return chromosome if chromosome in TEXT_ENCODERS else "unet"


@dataclass(frozen=True)
class Layout:
    """The order in which one chromosome joins tensors of a component, and where each of them begins.

    Tensors are flattened in C order.

    Attributes:
        chromosome: its name.
        names: canonical names of its tensors, in the order in which they are flattened.
        shapes: their shapes.
        component: what they are tensors of.
    """

    chromosome: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    component: str = "unet"

    @functools.cached_property
    def stops(self) -> np.ndarray:
        """The exclusive end of each tensor, in elements of the flattened chromosome: int64 [tensors]."""
        return np.cumsum([math.prod(shape) for shape in self.shapes], dtype=np.int64)

    @property
    def size(self) -> int:
        """The number of elements in the chromosome."""
        return int(self.stops[-1])

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256, in hex, of the ordered key list with shapes: what a recipe calls `layout`."""
        lines = (f"{name} {list(shape)}\n" for name, shape in zip(self.names, self.shapes, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def start(self, index: int) -> int:
        """Return the first element of tensor `index`."""
        return int(self.stops[index - 1]) if index else 0

    @functools.cached_property
    def spans(self) -> dict[str, tuple[int, int]]:
        """The first element of each tensor and its exclusive end, by name."""
        return {name: (self.start(index), int(self.stops[index])) for index, name in enumerate(self.names)}

    def tensor_at(self, element: int) -> int:
        """Return the index of the tensor that holds an element."""
        return int(np.searchsorted(self.stops, element, side="right"))


def chromosome_layouts(
    component: str, tensors: Mapping[str, tuple[tuple[int, ...], str]], patterns: Patterns | None = None
) -> dict[str, Layout]:
    """Group the tensors of a component into chromosomes.

    Args:
        component: `unet`, `text_encoder`, `text_encoder_2` or `model`.
        tensors: canonical name to (shape, safetensors dtype such as "F16").
        patterns: which tensors of a UNet or of any network form which chromosome, `*` matching dots as well; what they
            leave is `rest`. None: a UNet's attention and backbone, one `rest` of any network.

    Returns:
        Chromosome name to layout, in canonical order; tensors that are never interpolated are left out.

    Raises:
        RecipeError: a pattern takes no tensor.
    """
    merged = [name for name in canonical_order(component, tensors) if is_merged(name, tensors[name][1])]
    if patterns and component in ("unet", MODEL):
        _refuse_idle(patterns, merged)
    grouped: dict[str, list[str]] = {}
    for name in merged:
        grouped.setdefault(chromosome_of(component, name, patterns), []).append(name)
    return {
        chromosome: Layout(chromosome, tuple(names), tuple(tensors[name][0] for name in names), component)
        for chromosome, names in sorted(grouped.items())
    }


def _refuse_idle(patterns: Patterns, names: Sequence[str]) -> None:
    """Refuse a pattern that takes no tensor: it is misspelt, or others before it match all that it does."""
    used = {_first_match(name, patterns) for name in names}
    for chromosome, globs in patterns.items():
        for glob in globs:
            if (chromosome, glob) not in used:
                matched = [name for name in names if fnmatchcase(name, glob)]
                why = (
                    Phrase("patterns before it take {name} and all else it matches", name=matched[0])
                    if matched
                    else Phrase("none matches it")
                )
                example = names[0] if names else "none at all"
                raise RecipeError(
                    "Pattern {glob!r} of chromosome {chromosome!r} takes no tensor: {why}. Expected patterns that "
                    "each take one at least; tensors are called such as {example}.",
                    glob=glob,
                    chromosome=chromosome,
                    why=why,
                    example=example,
                )


def canonical_order(component: str, names: Iterable[str]) -> list[str]:
    """Return `names` in the order in which their component is flattened."""
    return sorted(names, key=lambda name: sort_key(component, name))
