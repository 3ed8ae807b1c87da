"""Sources: checkpoints on disk that evolution starts from. Opened by their headers, hashed once, checked on entry."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub.repocard import metadata_load
from safetensors import SafetensorError, safe_open

from .errors import SourceError
from .files import cache_dir, write_whole
from .keys import TEXT_ENCODERS, WEIGHTED, Layout, canonical_name, canonical_order, layouts

ARCHITECTURE: Literal["sdxl-unet"] = "sdxl-unet"
COMPONENTS = ("unet", "text_encoder", "text_encoder_2", "vae", "tokenizer", "tokenizer_2", "scheduler")
_WEIGHT_FILES = ("diffusion_pytorch_model", "model")
_VOCABULARY_FILES = ("vocab.json", "merges.txt", "tokenizer.json", "spiece.model", "sentencepiece.model")


@dataclass(frozen=True)
class TensorRef:
    """Where a tensor lies: file, key in that file, safetensors dtype ("F16"), shape."""

    file: Path
    key: str
    dtype: str
    shape: tuple[int, ...]


class Component:
    """The weights of one component, by canonical name and in canonical order; values are read only when asked for."""

    def __init__(self, name: str, folder: Path, files: Sequence[Path]) -> None:
        self.name = name
        self.folder = folder
        self.files = tuple(files)
        found: dict[str, TensorRef] = {}
        for file in files:
            handle = self._open(file)
            for key in handle.keys():  # noqa: SIM118  (safe_open is no mapping)
                view = handle.get_slice(key)
                found[canonical_name(name, key)] = TensorRef(file, key, view.get_dtype(), tuple(view.get_shape()))
        self.tensors: Mapping[str, TensorRef] = {key: found[key] for key in canonical_order(name, found)}

    @functools.cache  # noqa: B019  (a handful of files per source; the handle is a memory map)
    def _open(self, file: Path) -> Any:
        try:
            return safe_open(file, framework="pt", device="cpu")
        except (SafetensorError, OSError) as error:
            raise SourceError(
                f"{file} cannot be read as safetensors ({error}). Expected a complete file; "
                "it may be truncated or still downloading: fetch it again."
            ) from error

    def read(self, name: str) -> torch.Tensor:
        """A tensor in its stored dtype; memory-mapped, so only the pages that are touched are read."""
        ref = self.tensors[name]
        tensor: torch.Tensor = self._open(ref.file).get_tensor(ref.key)
        return tensor

    @functools.cached_property
    def layouts(self) -> dict[str, Layout]:
        """The chromosomes of this component."""
        return layouts(self.name, {name: (ref.shape, ref.dtype) for name, ref in self.tensors.items()})

    @functools.cached_property
    def sha256(self) -> str:
        """Hex SHA-256 over the raw little-endian tensor bytes in canonical order.

        Reads every byte once, and on the way refuses weights that are not finite; the answer is cached by path, size
        and time of change.

        Raises:
            SourceError: a tensor holds NaN or infinity.
        """
        stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in self.files]
        entry = cache_dir() / "sha256" / hashlib.sha256(json.dumps([self.name, stats]).encode()).hexdigest()
        if entry.exists():
            return entry.read_text()
        digest = hashlib.sha256()
        for name in self.tensors:
            tensor = self.read(name).contiguous()
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise SourceError(
                    f"{self.folder}: tensor {name} holds NaN or infinity. Expected finite weights; "
                    "the file is damaged or was saved from a diverged training: use another checkpoint."
                )
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        write_whole(entry, digest.hexdigest().encode())
        return digest.hexdigest()

    def read_flat(self, layout: Layout, start: int, stop: int) -> torch.Tensor:
        """Elements `start` to `stop` of a flattened chromosome of this component: float32 [stop - start]."""
        pieces = []
        index = layout.tensor_at(start)
        while start < stop:
            begin, end = layout.start(index), int(layout.stops[index])
            flat = self.read(layout.names[index]).reshape(-1)
            pieces.append(flat[start - begin : min(stop, end) - begin].to(torch.float32))
            start, index = end, index + 1
        return torch.cat(pieces)


class Source:
    """A diffusers SDXL folder: its weighted components, what its card says, and where everything lies."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.index = _read_json(path / "model_index.json")
        self.components = {part: Component(part, path / part, _weight_files(path / part)) for part in WEIGHTED}
        self.scheduler = _read_json(path / "scheduler" / "scheduler_config.json")

    @functools.cached_property
    def card(self) -> Mapping[str, Any]:
        """The front matter of README.md, empty where there is none."""
        readme = self.path / "README.md"
        return (metadata_load(readme) or {}) if readme.exists() else {}

    @property
    def licence(self) -> str | None:
        """The licence the card names, `None` where it names none."""
        named = self.card.get("license_name") or self.card.get("license")
        return str(named) if named else None

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages the card names."""
        named = self.card.get("language") or []
        return tuple([named] if isinstance(named, str) else named)

    @property
    def size(self) -> int:
        """Bytes of all weight files."""
        return sum(file.stat().st_size for part in self.components.values() for file in part.files)

    @property
    def prediction_type(self) -> str:
        """What the UNet was trained to predict: `epsilon` unless the scheduler's config says otherwise."""
        return str(self.scheduler.get("prediction_type", "epsilon"))

    def vocabulary(self, tokenizer: str) -> str:
        """Hex SHA-256 of a tokenizer's vocabulary files."""
        digest = hashlib.sha256()
        for name in _VOCABULARY_FILES:
            file = self.path / tokenizer / name
            if file.exists():
                digest.update(name.encode() + file.read_bytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Name and place."""
        return f"Source({self.name!r}, {str(self.path)!r})"


def open_source(path: str | Path, *, name: str | None = None) -> Source:
    """Open a diffusers SDXL folder by its headers; no weights are read.

    Args:
        path: the folder that holds `model_index.json`.
        name: what to call it; the folder's name if left out.

    Raises:
        SourceError: no such folder, another pipeline class, a missing component, a truncated file.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder. Expected a diffusers SDXL folder with model_index.json.")
    index = _read_json(folder / "model_index.json")
    if index.get("_class_name") != "StableDiffusionXLPipeline":
        raise SourceError(
            f"{folder} holds a {index.get('_class_name')!r}. Expected 'StableDiffusionXLPipeline'; only SDXL is merged."
        )
    missing = [part for part in COMPONENTS if not (folder / part).is_dir()]
    if missing:
        raise SourceError(
            f"{folder} lacks {', '.join(missing)}. Expected the components {', '.join(COMPONENTS)}; "
            "copy the missing folders from the checkpoint it was made from."
        )
    return Source(folder, name or folder.resolve().name)


def check_mergeable(sources: Sequence[Source]) -> None:
    """Refuse sources whose UNets cannot be merged tensor by tensor.

    Raises:
        SourceError: two names alike, another set of tensors, another shape, another prediction type; says where.
    """
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            f"Two sources are called {twice[0]!r}. Expected a name of its own for each; rename one folder."
        )
    first = sources[0]
    for other in sources[1:]:
        problem = difference(first.components["unet"], other.components["unet"])
        if problem:
            raise SourceError(
                f"{other.name} cannot be merged with {first.name}: {problem} "
                "Expected the same architecture; leave one of the two out."
            )
        if other.prediction_type != first.prediction_type:
            raise SourceError(
                f"{other.name} predicts {other.prediction_type!r}, {first.name} {first.prediction_type!r}. "
                "Expected one prediction type: their average would be noise. Leave one of the two out."
            )


def text_encoders_mergeable(sources: Sequence[Source]) -> str | None:
    """Why the text encoders of these sources cannot be merged; `None` where they can.

    They can when every source has the same shapes and the same tokenizer for both of them.
    """
    first = sources[0]
    for other in sources[1:]:
        for encoder, tokenizer in zip(TEXT_ENCODERS, ("tokenizer", "tokenizer_2"), strict=True):
            problem = difference(first.components[encoder], other.components[encoder])
            if problem:
                return f"{encoder} of {other.name} differs from {first.name}'s: {problem}"
            if first.vocabulary(tokenizer) != other.vocabulary(tokenizer):
                return f"{tokenizer} of {other.name} differs from {first.name}'s."
    return None


def difference(one: Component, other: Component) -> str | None:
    """The first tensor in which two components differ in name or shape, as a sentence; `None` where there is none."""
    for name, ref in one.tensors.items():
        if name not in other.tensors:
            return f"tensor {name} is missing."
        if other.tensors[name].shape != ref.shape:
            return f"tensor {name} has shape {list(other.tensors[name].shape)}, not {list(ref.shape)}."
    extra = next((name for name in other.tensors if name not in one.tensors), None)
    return f"tensor {extra} is unexpected." if extra else None


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a component: one, its fp16 variant, or the shards that an index names."""
    for stem in _WEIGHT_FILES:
        for variant in ("", ".fp16"):
            single = folder / f"{stem}{variant}.safetensors"
            if single.is_file():
                return [single]
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if index.is_file():
                return [folder / shard for shard in sorted(set(_read_json(index)["weight_map"].values()))]
    raise SourceError(
        f"{folder} holds no weights. Expected {' or '.join(f'{stem}.safetensors' for stem in _WEIGHT_FILES)}; "
        "pickled .bin files are not opened: convert them to safetensors."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{path} is missing. Expected a complete diffusers folder.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as JSON ({error}). Expected a complete diffusers folder.") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path} holds no JSON object. Expected a complete diffusers folder.")
    return content
