"""What lies in a checkpoint, whatever its form: components, classes, configurations, tokenizers.

Of SDXL two forms are read: a diffusers folder, and a single file of ComfyUI or A1111; of any other network the
safetensors files of a folder. Nothing that comes with a checkpoint is ever run: classes are names, looked up in
diffusers and transformers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipelines.architectures import sdxl
from pipelines.architectures.expected_tensors import expected_tensors
from pipelines.architectures.keys import MODEL, WEIGHTED_COMPONENTS, canonical_name
from pipelines.errors import Phrase, SourceError
from pipelines.storage.eight_bits import weight_keys
from pipelines.storage.tensor_file import TensorFile
from pipelines.storage.tensor_ref import TensorRef, tensor_ref

from .component import Component
from .weight_files import component_files, network_files, read_json

TOKENIZERS = ("tokenizer", "tokenizer_2")
KNOWN_INDEX = "model_index.json"
_CLASSES = {  # of the configuration of a component's own folder
    "UNet2DConditionModel": "unet",
    "AutoencoderKL": "vae",
    "CLIPTextModel": "text_encoder",
    "CLIPTextModelWithProjection": "text_encoder_2",
}


@dataclass(frozen=True)
class CheckpointContents:
    """What a checkpoint holds as it lies on disk, opened by its headers.

    Attributes:
        components: those it has, by name.
        index: the `model_index.json` it has or would have: class names per component.
        configs: the JSON configuration of each component and of the scheduler.
        tokenizers: the folder of each tokenizer it has.
        keys: all keys of a single file; some mark what it predicts.
        metadata: of the single file's header.
        strange_keys: those of the single file that belong to nothing known; they are left out.
        unusable: components that are there and cannot be read, with the reason.
        has_configs: whether the configurations came with the weights; else they are SDXL's.
    """

    components: Mapping[str, Component]
    index: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]
    tokenizers: Mapping[str, Path]
    keys: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict)
    strange_keys: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)
    has_configs: bool = True


def read_folder(folder: Path) -> CheckpointContents:
    """Open a diffusers folder by its headers: a whole pipeline, some of its components, or one of them by itself.

    Raises:
        SourceError: neither of these, a component that `model_index.json` names is missing, a damaged file.
    """
    parts = {
        part: folder / part for part in (*WEIGHTED_COMPONENTS, *TOKENIZERS, "scheduler") if (folder / part).is_dir()
    }
    if (folder / KNOWN_INDEX).exists():
        index = read_json(folder / KNOWN_INDEX)
        _check_index(folder, index, parts)
    elif parts:
        index = dict(sdxl.INDEX)
    elif part := _component_of_folder(folder):
        index, parts = dict(sdxl.INDEX), {part: folder}
    else:
        raise SourceError(
            "{folder} holds no model: {known_index} is missing. Expected a diffusers folder, a folder with 'unet' in "
            "it, or the folder of a UNet, a VAE or a CLIP text model.",
            folder=folder,
            known_index=KNOWN_INDEX,
        )
    components, unusable = make_components(
        {
            part: (str(parts[part]), _component_tensors(part, parts[part]))
            for part in WEIGHTED_COMPONENTS
            if part in parts
        }
    )
    refuse_unusable(components, unusable)
    configs: dict[str, Mapping[str, Any]] = {
        part: read_json(parts[part] / "config.json") for part in (*components, *unusable)
    }
    if "scheduler" in parts:
        configs["scheduler"] = read_json(parts["scheduler"] / "scheduler_config.json")
    tokenizers = {part: parts[part] for part in TOKENIZERS if part in parts}
    if {"unet", "text_encoder", "tokenizer"} <= parts.keys() and _is_null(index.get("text_encoder_2", False)):
        components["text_encoder_2"], configs["text_encoder_2"] = make_null_encoder(
            folder, configs["text_encoder"], configs["unet"]
        )
        tokenizers["tokenizer_2"] = tokenizers["tokenizer"]
        index |= {"text_encoder_2": sdxl.INDEX["text_encoder_2"], "tokenizer_2": index.get("tokenizer")}
    return CheckpointContents(components, index, configs, tokenizers, unusable=unusable)


def read_network(place: Path) -> CheckpointContents:
    """Open any network by its headers: the safetensors files of a folder, shards included, or one file.

    Raises:
        SourceError: no safetensors, a damaged file, a tensor in two files.
    """
    tensors: dict[str, TensorRef] = {}
    for path in network_files(place):
        file = TensorFile(path)
        for key in weight_keys(file):
            if key in tensors and (other := tensors[key].file):
                raise SourceError(
                    "{place} holds tensor {key} twice, in {other} and in {name}. Expected every tensor "
                    "once; leave one copy of the weights in the folder.",
                    place=place,
                    key=key,
                    other=other.path.name,
                    name=path.name,
                )
            tensors[key] = tensor_ref(file, key, file.tensors[key][0])
    return CheckpointContents({MODEL: Component(MODEL, str(place), tensors)}, index={}, configs={}, tokenizers={})


class NullComponent(Component):
    """A component all of whose weights are zero."""

    def read_elements(self, name: str, start: int, stop: int, *, scratch: torch.Tensor | None = None) -> torch.Tensor:
        """Return zeros: float16 [stop - start]."""
        return torch.zeros(stop - start, dtype=torch.float16)


def make_null_encoder(
    folder: Path, encoder: Mapping[str, Any], unet: Mapping[str, Any]
) -> tuple[Component, Mapping[str, Any]]:
    """Return a second text encoder that says nothing, for checkpoints that were trained without one.

    Japanese SDXL fills the second encoder's channels and the pooled vector with zeros, by code of its own. One layer of
    CLIP with all weights zero gives the same zeros, in every diffusers, without that code.

    Args:
        folder: the checkpoint, for messages.
        encoder: configuration of its first text encoder.
        unet: configuration of its UNet.

    Returns:
        The encoder's component and its configuration.

    Raises:
        SourceError: configurations that do not go together.
    """
    width = unet["cross_attention_dim"] - encoder["hidden_size"]
    pooled = unet["projection_class_embeddings_input_dim"] - 6 * unet["addition_time_embed_dim"]
    config = sdxl.TEXT_ENCODER_2 | {
        "hidden_size": width,
        "intermediate_size": width,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "projection_dim": pooled,
        "vocab_size": encoder["vocab_size"],
        "max_position_embeddings": encoder["max_position_embeddings"],
    }
    expected = expected_tensors("text_encoder_2", config)
    if expected is None:
        raise SourceError(
            "{folder}: the configurations of its UNet and text encoder leave no room for a second one. Expected those "
            "of one checkpoint: copy them from where it comes from.",
            folder=folder,
        )
    tensors = {name: TensorRef(None, name, "F16", shape) for name, shape in expected.items()}
    return NullComponent("text_encoder_2", f"the null second text encoder of {folder}", tensors), config


def make_components(
    found: Mapping[str, tuple[str, Mapping[str, TensorRef]]],
) -> tuple[dict[str, Component], dict[str, Phrase]]:
    """Make the components of a checkpoint; one that cannot be read is no hindrance to those who take another.

    Args:
        found: by component where its weights lie, for messages, and their canonical names and references.

    Returns:
        The components; and by name those that cannot be read, with the reason.
    """
    components, unusable = {}, {}
    for part, (place, tensors) in found.items():
        try:
            components[part] = Component(part, place, tensors)
        except SourceError as error:
            unusable[part] = error.phrase
    return components, unusable


def refuse_unusable(components: Mapping[str, Component], unusable: Mapping[str, str]) -> None:
    """Refuse a checkpoint none of whose components can be read; arguments are what `make_components` returns."""
    if unusable and not components:
        raise SourceError("{reason}", reason=next(iter(unusable.values())))


def _component_of_folder(folder: Path) -> str | None:
    """Return the component whose own folder this is, by its configuration; `None` where it is none's."""
    if not (folder / "config.json").exists():
        return None
    config = read_json(folder / "config.json")
    architectures = config.get("architectures")
    named = config.get("_class_name") or (architectures[0] if isinstance(architectures, list) and architectures else "")
    return _CLASSES.get(str(named))


def _is_null(entry: object) -> bool:
    """Return whether `model_index.json` says that a component is left out on purpose."""
    return entry is None or (isinstance(entry, list) and not any(entry))


def _check_index(folder: Path, index: Mapping[str, Any], parts: Mapping[str, Path]) -> None:
    """Refuse another pipeline than Stable Diffusion's, and one that lacks a component that its index names."""
    kind = str(index.get("_class_name"))
    if "StableDiffusion" not in kind:
        raise SourceError(
            "{folder} holds a {kind!r}. Expected 'StableDiffusionXLPipeline' or one made from it; only SDXL is merged.",
            folder=folder,
            kind=kind,
        )
    missing = [
        part for part in (*WEIGHTED_COMPONENTS, *TOKENIZERS) if not _is_null(index.get(part)) and part not in parts
    ]
    if missing:
        raise SourceError(
            "{folder} lacks {missing}, which its {known_index} names. Expected all of them: copy the "
            "missing folders from the checkpoint it was made from, or fetch it whole.",
            folder=folder,
            missing=", ".join(missing),
            known_index=KNOWN_INDEX,
        )


def _component_tensors(part: str, folder: Path) -> dict[str, TensorRef]:
    """Return the tensors that a component's folder holds, by canonical name."""
    tensors = {}
    for path in component_files(folder):
        file = TensorFile(path)
        for key in weight_keys(file):
            tensors[canonical_name(part, key)] = tensor_ref(file, key, file.tensors[key][0])
    return without_projection(part, tensors)


def without_projection(part: str, tensors: dict[str, TensorRef]) -> dict[str, TensorRef]:
    """Leave out the first encoder's projection: SDXL conditions on that encoder's hidden state alone."""
    if part == "text_encoder":
        tensors.pop("text_projection.weight", None)
    return tensors
