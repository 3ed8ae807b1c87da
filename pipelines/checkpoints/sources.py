"""Sources: checkpoints on disk that evolution starts from. Opened by their headers, hashed once, checked on entry."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pipelines.architectures.detection import Architecture, detect_architecture, refuse_mixing
from pipelines.architectures.keys import ANY_NETWORK, MODEL, SDXL_UNET, TEXT_ENCODERS, Layout, Patterns
from pipelines.architectures.prediction import STATED_PREDICTIONS, VELOCITY, marked_prediction, prediction_in
from pipelines.checkpoints.folder_card import read_card, stated_licence
from pipelines.errors import SourceError

from .component import Component, first_difference
from .contents import TOKENIZERS, CheckpointContents, read_folder, read_network, read_single_file

_VOCABULARY_FILES = ("vocab.json", "merges.txt", "tokenizer.json", "spiece.model", "sentencepiece.model")


class Source:
    """An opened checkpoint: its components, what its card says, and where everything lies.

    Attributes:
        path: its folder or file on this disk.
        name: what it is called in recipes and on pages.
        uri: what opens it again: a path, a hub id, or one of these with LoRAs on it.
        contents: what it holds.
        prediction: what it is said to predict, whatever its file says; `None` where the file is believed.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        contents: CheckpointContents,
        *,
        uri: str | None = None,
        prediction: str | None = None,
    ) -> None:
        """Take what `open_source` and its kin have opened.

        Args:
            path: its folder or file.
            name: what to call it.
            contents: what it holds.
            uri: what opens it again; the path if left out.
            prediction: one of `STATED_PREDICTIONS`.
        """
        self.path = path
        self.name = name
        self.uri = uri or str(path)
        self.contents = contents
        self.prediction = prediction

    @property
    def components(self) -> Mapping[str, Component]:
        """The components with weights, by name."""
        return self.contents.components

    @property
    def recipe_architecture(self) -> Literal["sdxl-unet", "any"]:
        """The word that a recipe over it has for its architecture."""
        return ANY_NETWORK if MODEL in self.components else SDXL_UNET

    def layouts(self, components: Iterable[str], patterns: Patterns | None = None) -> dict[str, Layout]:
        """Return the chromosomes of some of its components, under a recipe's patterns if it has any.

        Raises:
            RecipeError: a pattern takes no tensor.
        """
        return {
            chromosome: layout
            for part in components
            for chromosome, layout in self.components[part].grouped_layouts(patterns).items()
        }

    @functools.cached_property
    def architecture(self) -> Architecture:
        """The kind of UNet that it holds, and what that predicts."""
        return detect_architecture(
            {name: ref.shape for name, ref in self.components["unet"].tensors.items()},
            marks=self.contents.keys,
            metadata=self.contents.metadata,
            scheduler=self.contents.configs.get("scheduler"),
            stated=STATED_PREDICTIONS[self.prediction] if self.prediction else None,
        )

    @property
    def says_prediction(self) -> bool:
        """Whether what it predicts is said: by whoever names it, by its file, or by a scheduler that names velocity.

        A scheduler that names noise says nothing: it is SDXL's own, which conversion puts beside any weights.
        """
        said = self.prediction or marked_prediction(self.contents.keys) or prediction_in(self.contents.metadata)
        return bool(said) or self.contents.configs.get("scheduler", {}).get("prediction_type") == VELOCITY

    def config(self, part: str) -> dict[str, Any]:
        """Return the JSON configuration of a component or of the scheduler; the latter says what this UNet predicts."""
        config = dict(self.contents.configs[part])
        if part == "scheduler":
            config["prediction_type"] = self.architecture.prediction_type
            if self.architecture.zero_terminal_snr or config.get("rescale_betas_zero_snr"):
                config["rescale_betas_zero_snr"] = self.architecture.zero_terminal_snr
        return config

    def lends(self, part: str) -> bool:
        """Return whether it has a component to lend: weights, a configuration or a tokenizer."""
        return part in self.components or part in self.contents.configs or part in self.contents.tokenizers

    @functools.cached_property
    def card(self) -> Mapping[str, Any]:
        """The front matter of README.md, empty where there is none."""
        return read_card(self.path)

    @property
    def licence(self) -> str | None:
        """The licence that the card or the file's header names, `None` where they name none."""
        return stated_licence(self.card, self.contents.metadata)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages the card names."""
        named = self.card.get("language") or []
        return tuple([named] if isinstance(named, str) else named)

    @property
    def size(self) -> int:
        """The bytes that all its weights take as they are stored."""
        return sum(part.size for part in self.components.values())

    def check_unchanged(self) -> None:
        """Refuse files of weights that are not those that were opened.

        Raises:
            SourceError: one was written to, replaced or removed; says which.
        """
        for part in self.components.values():
            part.check_unchanged()

    def vocabulary_sha256(self, tokenizer: str) -> str:
        """Return the hex SHA-256 of a tokenizer's vocabulary files."""
        digest = hashlib.sha256()
        for name in _VOCABULARY_FILES:
            file = self.contents.tokenizers[tokenizer] / name
            if file.is_file():
                digest.update(name.encode() + file.read_bytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Return its name and place."""
        return f"Source({self.name!r}, {self.uri!r})"


def open_source(path: str | Path, *, name: str | None = None) -> Source:
    """Open a checkpoint by its headers; no weights are read.

    Args:
        path: a diffusers folder, or a single `.safetensors` file with SGM names.
        name: what to call it; the folder's or the file's name if left out.

    Raises:
        SourceError: nothing there, another kind of model, no UNet, a damaged file.
    """
    place = Path(os.path.expanduser(path))
    if place.is_dir() and (place.suffix != ".safetensors" or (place / "model_index.json").exists()):
        contents = read_folder(place)
        if "unet" not in contents.components:
            raise SourceError(f"{place} lacks unet. Expected a diffusers folder with a UNet to merge.")
        return Source(place, name or place.resolve().name, contents)
    if place.suffix == ".safetensors":
        return Source(place, name or place.stem, read_single_file(place))
    raise SourceError(
        f"{place} is not a folder, nor a .safetensors file. Expected a diffusers SDXL folder with model_index.json, or "
        "a single-file checkpoint."
    )


def open_network(path: str | Path, *, name: str | None = None) -> Source:
    """Open any network by its headers: all its tensors are one component, `model`, under the names they have.

    Args:
        path: a folder of safetensors files, or one such file.
        name: what to call it; the folder's or the file's name if left out.

    Raises:
        SourceError: nothing there, no safetensors, a damaged file, a tensor in two files.
    """
    place = Path(os.path.expanduser(path))
    return Source(place, name or (place.resolve().name if place.is_dir() else place.stem), read_network(place))


def check_mergeable(sources: Sequence[Source]) -> None:
    """Refuse sources whose UNets, or whose networks of any other kind, cannot be merged tensor by tensor.

    Raises:
        SourceError: two names alike, another architecture or prediction type, another set of tensors or another shape;
            says where.
    """
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            f"Two sources are called {twice[0]!r}. Expected a name of its own for each; write one as "
            f"'another name = {twice[0]} ...', or rename its folder."
        )
    first = sources[0]
    part = MODEL if first.recipe_architecture == ANY_NETWORK else "unet"
    if part == "unet":
        _check_drawing(sources)
    for other in sources[1:]:
        problem = first_difference(first.components[part], other.components[part])
        if problem:
            raise SourceError(
                f"{other.name} cannot be merged with {first.name}: {problem} "
                "Expected the same architecture; leave one of the two out."
            )


def _check_drawing(sources: Sequence[Source]) -> None:
    refuse_mixing({source.name: source.architecture for source in sources})
    first = sources[0]
    if not first.architecture.text_to_image or first.architecture.edm:
        raise SourceError(
            f"{first.name} is {first.architecture}. Expected SDXL that draws from text, with epsilon or v-prediction; "
            "other models are not bred."
        )


def text_encoder_conflict(sources: Sequence[Source]) -> str | None:
    """Return why the text encoders of these sources cannot be merged.

    They can when every source has the same shapes and the same tokenizer for both of them.

    Returns:
        A sentence that names the first source that stands against it; `None` where they can be merged.
    """
    first = sources[0]
    for other in sources:
        for encoder, tokenizer in zip(TEXT_ENCODERS, TOKENIZERS, strict=True):
            if not (other.lends(encoder) and other.lends(tokenizer)):
                return f"{other.name} has no {encoder} of its own."
            problem = first_difference(first.components[encoder], other.components[encoder])
            if problem:
                return f"{encoder} of {other.name} differs from {first.name}'s: {problem}"
            if first.vocabulary_sha256(tokenizer) != other.vocabulary_sha256(tokenizer):
                return f"{tokenizer} of {other.name} differs from {first.name}'s."
    return None
