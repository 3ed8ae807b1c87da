"""What the keys of a LoRA file mean: which tensor of the base each pair of factors changes, and by how much.

Two namings are read. kohya's joins the module's name by underscores, after SGM's or diffusers' modules, so it is looked
up among the base's own modules: `lora_unet_input_blocks_4_1_proj_in.lora_down.weight`. diffusers' and peft's keep the
dots, in several spellings: `unet.down_blocks.1.attentions.0.proj_in.lora_A.weight`.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.architectures.keys import TEXT_ENCODERS, canonical_name
from pipelines.architectures.sdxl_single_file import PREFIXES, Shape, to_single_file
from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile

ComponentShapes = Mapping[str, Mapping[str, Shape]]  # component to canonical names and shapes
PeftConfig = Mapping[str, Any]  # peft's LoraConfig, as far as it is stated

_FACTOR = re.compile(r"(.+?)[._]lora(?:_linear_layer)?[._](down|up|A|B)\.weight")
_ROLES = {"down": "down", "A": "down", "up": "up", "B": "up"}
_KOHYA = {
    "lora_unet_": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
}
_DOTTED = ("text_encoder_2", "text_encoder", "unet")
_WRAPPER = "base_model.model."  # peft's own, around any model
_OLD_PROJECTIONS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
_NOT_BAKED = {
    "LoHa": re.compile(r"\.hada_"),
    "LoKr": re.compile(r"\.lokr_"),
    "DoRA": re.compile(r"\.dora_scale$|\.lora_magnitude_vector"),
    "LoCon with a middle factor (CP decomposition)": re.compile(r"\.lora_mid\."),
    "OFT": re.compile(r"\.oft_"),
    "a change of biases": re.compile(r"\.diff_b$|\.b_norm$|[._](up|B)\.bias$"),
    "a change that is no product of two factors": re.compile(r"\.diff$|\.w_norm$"),
}


@dataclass(frozen=True)
class FactorPair:
    """The two factors by which a LoRA changes one tensor: it adds `ratio * up @ down`.

    Attributes:
        down: the file's key of the factor [rank, columns].
        up: the file's key of the factor [rows, rank].
        rank: what the two have in common.
        ratio: alpha / rank.
    """

    down: str
    up: str
    rank: int
    ratio: float


def read_factor_pairs(file: TensorFile, base: ComponentShapes) -> dict[str, dict[str, FactorPair]]:
    """Find the tensors of the base that a LoRA file changes.

    Args:
        file: the LoRA.
        base: the components it may change.

    Returns:
        Component to canonical name to pair.

    Raises:
        SourceError: another kind of adapter, modules that the base does not have, shapes that do not fit.
    """
    modules = _modules(file)
    underscored = _kohya_modules(base) if any(module.startswith("lora_") for module in modules) else {}
    configs = _configs(file)
    pairs: dict[str, dict[str, FactorPair]] = {}
    strangers = []
    for module, keys in modules.items():
        target = underscored.get(module) or _dotted_target(module)
        if target is None or target[1] not in base.get(target[0], {}):
            strangers.append(module)
            continue
        component, name = target
        pair = _pair(file, module, keys, name, base[component][name], configs.get(component, {}))
        first = pairs.setdefault(component, {}).setdefault(name, pair)
        if first != pair:
            raise SourceError(
                f"{file.path}: {first.down} and {pair.down} both change {name}. Expected one pair for each tensor; the "
                "file mixes two namings: save it again with one tool."
            )
    if strangers:
        raise SourceError(
            f"{file.path} changes {len(modules)} modules; {len(strangers)} of them are not in the base, such as "
            f"{strangers[0]!r}. Expected a LoRA for this kind of model, and a base that holds all it changes "
            f"({', '.join(base)} here): use another LoRA or a complete base."
        )
    return pairs


def _modules(file: TensorFile) -> dict[str, dict[str, str]]:
    """Sort the keys of a file by module, as it calls them: the keys of its `down`, `up` and `alpha`."""
    modules: dict[str, dict[str, str]] = {}
    unknown = []
    for key in file.tensors:
        kind = next((kind for kind, pattern in _NOT_BAKED.items() if pattern.search(key)), None)
        if kind:
            raise SourceError(
                f"{file.path} holds {kind} ({key!r}). Expected plain LoRA, pairs of factors for linear layers and "
                "convolutions: merge it into its base with the tool that made it, and take the result as a source."
            )
        if factor := _FACTOR.fullmatch(key):
            modules.setdefault(factor[1], {})[_ROLES[factor[2]]] = key
        elif key.endswith(".alpha"):
            modules.setdefault(key.removesuffix(".alpha"), {})["alpha"] = key
        else:
            unknown.append(key)
    if unknown or not modules:
        example = repr(unknown[0]) if unknown else "no tensor at all"
        raise SourceError(
            f"{file.path} is no LoRA that is understood: it holds {example}. Expected keys such as "
            "'lora_unet_..._to_q.lora_down.weight' (kohya) or 'unet.....to_q.lora_A.weight' (diffusers, peft)."
        )
    return modules


def _kohya_modules(base: ComponentShapes) -> dict[str, tuple[str, str]]:
    """Return the component and canonical tensor of each module name in kohya's spelling.

    The names are those of canonical modules, and for the UNet those of its SGM modules too.
    """
    table = {}
    for prefix, component in _KOHYA.items():
        for name in base.get(component, {}):
            if name.endswith(".weight"):
                table[prefix + name.removesuffix(".weight").replace(".", "_")] = (component, name)
    with contextlib.suppress(SourceError):  # a UNet that has no place in a single file has no such names either
        for tensor in to_single_file("unet", base.get("unet", {})):
            module = tensor.key.removeprefix(PREFIXES["unet"])
            if module.endswith(".weight"):
                table["lora_unet_" + module.removesuffix(".weight").replace(".", "_")] = ("unet", tensor.parts[0])
    return table


def _dotted_target(module: str) -> tuple[str, str]:
    """Return the component and the canonical tensor of a module in diffusers' or peft's naming."""
    module = module.removeprefix(_WRAPPER)
    component = next((part for part in _DOTTED if module.startswith(f"{part}.")), "unet")
    module = module.removeprefix(f"{component}.").removeprefix(_WRAPPER).replace(".processor.", ".")
    head, dot, leaf = module.rpartition(".")
    if component in TEXT_ENCODERS:
        leaf = _OLD_PROJECTIONS.get(leaf, leaf)
    elif leaf == "to_out":
        leaf = "to_out.0"
    return component, canonical_name(component, f"{head}{dot}{leaf}.weight")


def _pair(
    file: TensorFile, module: str, keys: Mapping[str, str], name: str, target: Shape, config: PeftConfig
) -> FactorPair:
    missing = next((role for role in ("down", "up") if role not in keys), None)
    if missing:
        raise SourceError(
            f"{file.path} lacks the {missing} factor of {module}. Expected both factors; the file is incomplete: fetch "
            "it again."
        )
    down, up = (file.tensors[keys[role]][0] for role in ("down", "up"))
    rank = down[0] if down else 0
    made = (target[0], *down[1:]) if target else ()
    if (
        not rank
        or len(target) < 2
        or _without_trailing_ones(made) != _without_trailing_ones(target)
        or _without_trailing_ones(up) != (target[0], rank)
    ):
        raise SourceError(
            f"{file.path}: {keys['up']} {list(up)} times {keys['down']} {list(down)} does not give {name} "
            f"{list(target)}. Expected a LoRA for a model of these widths; use another one."
        )
    if "alpha" in keys:
        ratio = _alpha(file, keys["alpha"]) / rank
    else:
        ratio = _stated_ratio(config, name.removesuffix(".weight"), rank)
    return FactorPair(keys["down"], keys["up"], rank, ratio)


def _without_trailing_ones(shape: Shape) -> Shape:
    """Return a shape of at least two dimensions without the ones at its end: a 1x1 convolution is a linear layer."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _alpha(file: TensorFile, key: str) -> float:
    """Read the alpha of a module."""
    value = file.read(key)
    if value.numel() != 1 or not bool(value.isfinite()):
        raise SourceError(f"{file.path}: {key} is {value.tolist()}. Expected one finite number; fetch the file again.")
    return float(value)


def _configs(file: TensorFile) -> dict[str, PeftConfig]:
    """Read what peft's configuration says, by component: in the header as diffusers writes it, or in a file beside."""
    beside = file.path.with_name("adapter_config.json")
    try:
        if "lora_adapter_metadata" in file.metadata:
            content = json.loads(file.metadata["lora_adapter_metadata"])
        elif file.path.stem == "adapter_model" and beside.is_file():  # peft's own pair of names
            content = json.loads(beside.read_text("utf-8"))
        else:
            return {}
        plain = {key: value for key, value in content.items() if "." not in key}
        return {
            part: plain
            | {key.removeprefix(f"{part}."): value for key, value in content.items() if key.startswith(f"{part}.")}
            for part in _DOTTED
        }
    except (AttributeError, OSError, ValueError) as error:
        raise SourceError(
            f"{file.path}: its peft configuration cannot be read ({error}). Expected a JSON object; fetch it again."
        ) from error


def _stated_ratio(config: PeftConfig, module: str, rank: int) -> float:
    """Return what a pair is multiplied by where no key says it: 1, unless peft's configuration says otherwise."""
    named = config.get("alpha_pattern")
    named = named if isinstance(named, dict) else {}
    alpha = next(
        (value for end, value in named.items() if f".{module}".endswith(f".{end}")), config.get("lora_alpha", rank)
    )
    if not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise SourceError(f"The LoRA's configuration says alpha {alpha!r}. Expected a finite number.")
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)
