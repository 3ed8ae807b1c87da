"""Sources: checkpoints on disk that evolution starts from. Opened by their headers, hashed once, checked on entry."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pipelines.architectures.detection import Architecture, detect_architecture
from pipelines.architectures.keys import ANY_NETWORK, MODEL, SDXL_UNET, Layout, Patterns
from pipelines.architectures.prediction import STATED_PREDICTIONS, VELOCITY, marked_prediction, prediction_in
from pipelines.checkpoints.folder_card import read_card, stated_licence
from pipelines.errors import Phrase, SourceError

from .completeness import PARTS, Shortfall, find_shortfalls, find_strange_keys
from .component import Component
from .contents import CheckpointContents, read_folder, read_network
from .single_files import read_single_file

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
            SourceError: it has no such component.
        """
        return {
            chromosome: layout
            for part in components
            for chromosome, layout in self.component(part).grouped_layouts(patterns).items()
        }

    def component(self, part: str) -> Component:
        """Return a component that it has, whole or not.

        Raises:
            SourceError: it has none, or one that cannot be read; says what it has instead.
        """
        if part in self.components:
            return self.components[part]
        raise SourceError(
            "{name} {problem}. {remedy}", name=self.name, problem=self.problem(part), remedy=self._remedy(part)
        )

    def require(self, part: str) -> Component:
        """Return a component that is whole.

        Raises:
            SourceError: it is not, or is not there; says what is missing, and what to do.
        """
        if problem := self.problem(part):
            raise SourceError("{name} {problem}. {remedy}", name=self.name, problem=problem, remedy=self._remedy(part))
        return self.components[part]

    @functools.cached_property
    def shortfalls(self) -> Mapping[str, Shortfall]:
        """What keeps its components from being whole, by component; empty where all are."""
        return find_shortfalls(self.contents)

    @functools.cached_property
    def strange_keys(self) -> tuple[str, ...]:
        """The keys that belong to nothing known: those of a file that are left out, and what no layer asks for."""
        return find_strange_keys(self.contents)

    def problem(self, part: str) -> str | None:
        """Return why a component, configuration or tokenizer of it cannot be used; `None` where it can.

        What is returned is the end of a sentence that begins with its name: `has no vae`.
        """
        if reason := self.contents.unusable.get(part):
            return Phrase(
                "has a {kind} ({part}) that cannot be read: {reason}",
                kind=PARTS.get(part, part),
                part=part,
                reason=reason.rstrip("."),
            )
        if part in self.shortfalls:
            return self.shortfalls[part].sentence()
        has = part in self.components or part in self.contents.configs or part in self.contents.tokenizers
        return None if has else Phrase("has no {part}", part=part)

    def _remedy(self, part: str) -> str:
        """Return what to do about a component that cannot be merged."""
        kind = PARTS.get(part, part)
        if part in self.components or part in self.contents.unusable:
            return Phrase(
                "Expected a whole {kind} to merge: use a whole copy of it, or leave this source out.", kind=kind
            )
        held = [name for name in self.components if not self.problem(name)]
        lends = Phrase("; it may lend what it has: --host {part}={name}", part=held[0], name=self.name) if held else ""
        return Phrase("Expected a checkpoint with a {kind}{lends}.", kind=kind, lends=lends)

    @functools.cached_property
    def architecture(self) -> Architecture:
        """The kind of UNet that it holds, and what that predicts; of a part without one, what it is."""
        if "unet" not in self.components:
            return Architecture(" and ".join(PARTS.get(part, part) for part in self.components) or "nothing usable")
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
        """Return whether it has a component to lend: whole weights, a configuration or a tokenizer."""
        return self.problem(part) is None

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


def open_source(path: str | Path, *, name: str | None = None, lies_at: Path | None = None) -> Source:
    """Open a checkpoint by its headers; no weights are read.

    What it holds may be whole or not, and all of SDXL or a part of it: that is told where a part is used.

    Args:
        path: a diffusers folder, or a single `.safetensors` file, of all of SDXL or of a part alone.
        name: what to call it; the folder's or the file's name if left out.
        lies_at: the file that it was converted from, beside which its configurations lie.

    Raises:
        SourceError: nothing there, another kind of model, nothing of SDXL in it, a damaged file.
    """
    place = Path(os.path.expanduser(path))
    is_tensor_file = place.suffix.lower() == ".safetensors"
    if place.is_dir() and (not is_tensor_file or (place / "model_index.json").exists()):
        return Source(place, name or place.resolve().name, read_folder(place))
    if is_tensor_file:
        return Source(place, name or place.stem, read_single_file(place, lies_at=lies_at))
    raise SourceError(
        "{place} is not a folder, nor a .safetensors file. Expected a diffusers SDXL folder with model_index.json, or "
        "a single-file checkpoint.",
        place=place,
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
