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

import accelerate
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from pipelines.architectures import sdxl, sdxl_single_file
from pipelines.architectures.keys import MODEL, TEXT_ENCODERS, WEIGHTED_COMPONENTS, canonical_name
from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile
from pipelines.untrusted import parse_json, read_bytes

from .component import Component
from .eight_bits import weight_keys
from .tensor_ref import TensorRef, tensor_ref

TOKENIZERS = ("tokenizer", "tokenizer_2")
_WEIGHT_FILES = ("diffusion_pytorch_model", "model")
_KNOWN_INDEX = "model_index.json"
_UNET = "UNet2DConditionModel"


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
    """

    components: Mapping[str, Component]
    index: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]
    tokenizers: Mapping[str, Path]
    keys: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_folder(folder: Path) -> CheckpointContents:
    """Open a diffusers folder by its headers: a whole pipeline, some of its components, or a UNet by itself.

    Raises:
        SourceError: neither of these, a component that `model_index.json` names is missing, a damaged file.
    """
    parts = {
        part: folder / part for part in (*WEIGHTED_COMPONENTS, *TOKENIZERS, "scheduler") if (folder / part).is_dir()
    }
    if (folder / _KNOWN_INDEX).exists():
        index = read_json(folder / _KNOWN_INDEX)
        _check_index(folder, index, parts)
    elif parts:
        index = dict(sdxl.INDEX)
    elif (folder / "config.json").exists() and read_json(folder / "config.json").get("_class_name") == _UNET:
        index, parts = dict(sdxl.INDEX), {"unet": folder}
    else:
        raise SourceError(
            f"{folder} holds no model: {_KNOWN_INDEX} is missing. Expected a diffusers folder, a folder with 'unet' in "
            "it, or a UNet's own folder."
        )
    components = {
        part: Component(part, str(parts[part]), _component_tensors(part, parts[part]))
        for part in WEIGHTED_COMPONENTS
        if part in parts
    }
    configs: dict[str, Mapping[str, Any]] = {part: read_json(parts[part] / "config.json") for part in components}
    if "scheduler" in parts:
        configs["scheduler"] = read_json(parts["scheduler"] / "scheduler_config.json")
    tokenizers = {part: parts[part] for part in TOKENIZERS if part in parts}
    if {"unet", "text_encoder", "tokenizer"} <= parts.keys() and _is_null(index.get("text_encoder_2", False)):
        components["text_encoder_2"], configs["text_encoder_2"] = make_null_encoder(
            folder, configs["text_encoder"], configs["unet"]
        )
        tokenizers["tokenizer_2"] = tokenizers["tokenizer"]
        index |= {"text_encoder_2": sdxl.INDEX["text_encoder_2"], "tokenizer_2": index.get("tokenizer")}
    return CheckpointContents(components, index, configs, tokenizers)


def read_single_file(path: Path) -> CheckpointContents:
    """Open a `.safetensors` with SGM names by its header: a whole checkpoint, or a UNet alone.

    Configurations and tokenizers are those that were exported with it, or of the folder it lies in, where that is a
    diffusers folder, else SDXL's.

    Raises:
        SourceError: a damaged file, or one without a UNet.
    """
    file = TensorFile(path)
    slices = sdxl_single_file.from_single_file({key: file.tensors[key][0] for key in weight_keys(file)})
    if "unet" not in slices:
        example = next(iter(file.tensors), "none")
        raise SourceError(
            f"{path} holds no UNet; its keys are such as {example!r}. Expected an SDXL checkpoint with keys such as "
            f"{sdxl_single_file.PREFIXES['unet']}input_blocks.0.0.weight; a LoRA goes with its base: "
            f"'BASE + 0.8 * {path.name}'."
        )
    components = {
        part: Component(
            part,
            f"{part} of {path}",
            _without_projection(
                part,
                {
                    name: tensor_ref(file, stored.key, stored.shape, rows=stored.rows, transposed=stored.transposed)
                    for name, stored in named.items()
                },
            ),
        )
        for part, named in slices.items()
    }
    candidates = (path.with_suffix(".about") / "config", path.parent)
    home = next((folder for folder in candidates if (folder / _KNOWN_INDEX).is_file()), None) or sdxl.cached_folder()
    has_text_encoders = all(part in components for part in TEXT_ENCODERS)
    return CheckpointContents(
        components=components,
        index=read_json(home / _KNOWN_INDEX),
        configs={part: read_json(home / part / "config.json") for part in components}
        | {"scheduler": read_json(home / "scheduler" / "scheduler_config.json")},
        tokenizers={part: home / part for part in TOKENIZERS} if has_text_encoders else {},
        keys=frozenset(file.tensors),
        metadata=file.metadata,
    )


def read_network(place: Path) -> CheckpointContents:
    """Open any network by its headers: the safetensors files of a folder, shards included, or one file.

    Raises:
        SourceError: no safetensors, a damaged file, a tensor in two files.
    """
    tensors: dict[str, TensorRef] = {}
    for path in _network_files(place):
        file = TensorFile(path)
        for key in weight_keys(file):
            if key in tensors and (other := tensors[key].file):
                raise SourceError(
                    f"{place} holds tensor {key} twice, in {other.path.name} and in {path.name}. Expected every tensor "
                    "once; leave one copy of the weights in the folder."
                )
            tensors[key] = tensor_ref(file, key, file.tensors[key][0])
    return CheckpointContents({MODEL: Component(MODEL, str(place), tensors)}, index={}, configs={}, tokenizers={})


def _network_files(place: Path) -> list[Path]:
    """Return all safetensors files of a folder, or those that its only index names."""
    if not place.is_dir():
        return [place]
    indices = [path for path in sorted(place.glob("*.safetensors.index.json")) if not path.name.startswith(".")]
    if len(indices) == 1:
        return _shards(indices[0])
    files = [path for path in sorted(place.glob("*.safetensors")) if not path.name.startswith(".")]
    if not files:
        raise SourceError(
            f"{place} holds no weights. Expected .safetensors files in this folder itself; pickled files are not "
            "opened: convert them to safetensors."
        )
    return files


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
    with accelerate.init_empty_weights():
        model = CLIPTextModelWithProjection(CLIPTextConfig(**config))
    tensors = {
        canonical_name("text_encoder_2", key): TensorRef(None, key, "F16", tuple(tensor.shape))
        for key, tensor in model.state_dict().items()
    }
    return NullComponent("text_encoder_2", f"the null second text encoder of {folder}", tensors), config


def _is_null(entry: object) -> bool:
    """Return whether `model_index.json` says that a component is left out on purpose."""
    return entry is None or (isinstance(entry, list) and not any(entry))


def _check_index(folder: Path, index: Mapping[str, Any], parts: Mapping[str, Path]) -> None:
    """Refuse another pipeline than Stable Diffusion's, and one that lacks a component that its index names."""
    kind = str(index.get("_class_name"))
    if "StableDiffusion" not in kind:
        raise SourceError(
            f"{folder} holds a {kind!r}. Expected 'StableDiffusionXLPipeline' or one made from it; only SDXL is merged."
        )
    missing = [
        part for part in (*WEIGHTED_COMPONENTS, *TOKENIZERS) if not _is_null(index.get(part)) and part not in parts
    ]
    if missing:
        raise SourceError(
            f"{folder} lacks {', '.join(missing)}, which its {_KNOWN_INDEX} names. Fetch it again, or copy the missing "
            "folders from the checkpoint it was made from."
        )


def _component_tensors(part: str, folder: Path) -> dict[str, TensorRef]:
    """Return the tensors that a component's folder holds, by canonical name."""
    tensors = {}
    for path in _weight_files(folder):
        file = TensorFile(path)
        for key in weight_keys(file):
            tensors[canonical_name(part, key)] = tensor_ref(file, key, file.tensors[key][0])
    return _without_projection(part, tensors)


def _without_projection(part: str, tensors: dict[str, TensorRef]) -> dict[str, TensorRef]:
    """Leave out the first encoder's projection: SDXL conditions on that encoder's hidden state alone."""
    if part == "text_encoder":
        tensors.pop("text_projection.weight", None)
    return tensors


def _weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a component: one, or the shards that an index names.

    The fp16 variant goes first: the hub's cache may hold both, and the same id must mean the same bytes everywhere.
    """
    for stem in _WEIGHT_FILES:
        for variant in (".fp16", ""):
            single = folder / f"{stem}{variant}.safetensors"
            if single.is_file():
                return [single]
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if index.is_file():
                return _shards(index)
    raise SourceError(
        f"{folder} holds no weights. Expected {' or '.join(f'{stem}.safetensors' for stem in _WEIGHT_FILES)}; "
        "pickled .bin files are not opened: convert them to safetensors."
    )


def _shards(index: Path) -> list[Path]:
    """Return the files that an index names."""
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict):
        raise SourceError(f"{index} names no files. Expected a weight_map; fetch it again.")
    return [index.parent / shard for shard in sorted(set(map(str, named.values())))]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        SourceError: no such file, no JSON, no object.
    """
    try:
        content = parse_json(read_bytes(path))
    except FileNotFoundError:
        raise SourceError(f"{path} is missing. Expected a complete diffusers folder.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as JSON ({error}). Expected a complete diffusers folder.") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path} holds no JSON object. Expected a complete diffusers folder.")
    return content
