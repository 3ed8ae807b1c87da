"""Source URIs: what a person may write where a source is asked for, in run files, recipes and on the command line.

    models/ja                           a diffusers folder
    models/anime.safetensors            a single file, also .ckpt
    owner/name                          a repository of the Hugging Face hub, where there is no such path here
    owner/name@revision                 a branch, tag or commit of it
    owner/name/path/file.safetensors    one file of it
    BASE + 0.8 * LORA + 0.5 * LORA      LoRAs baked into a base, each of them any of the above

Paths are relative to the file that they are written in, or to the working directory.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from pipelines.errors import SourceError
from pipelines.storage.pickled import PICKLE_SUFFIXES, as_safetensors

from . import hub
from .adapted import with_adapter
from .sources import Source, open_source

_FORMS = (
    "Expected a diffusers folder, a .safetensors or .ckpt file, a hub id (owner/name, owner/name@revision, "
    "owner/name/path/file.safetensors), or LoRAs on one of these (BASE + 0.8 * LORA, with spaces around + and *)"
)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PLUS = re.compile(rf"\s+\+\s+(?={_NUMBER}\s+\*\s)")
_TERM = re.compile(rf"({_NUMBER})\s+\*\s+(.+)", re.DOTALL)


def open_source_uri(uri: str | Path, *, name: str | None = None, relative_to: Path | None = None) -> Source:
    """Open the source that a URI names.

    What lies on the hub is fetched, a pickled checkpoint is converted, both once.

    Args:
        uri: see above; the source's `uri` is this with its paths made absolute.
        name: what to call it; if left out, the name of the folder, file or repository, with LoRAs that of the last.
        relative_to: the folder that relative paths start from; the working directory if left out.

    Raises:
        SourceError: nothing that is understood, nothing there, or nothing that can be merged; says which.
    """
    text = absolute_uri(uri, relative_to)
    base, loras = parse_terms(text)
    place = _locate(base)
    opened = open_source(_readable_file(place))
    contents = opened.contents
    for scale, lora in loras:
        contents = with_adapter(contents, _lora_file(lora), float(scale))
    return Source(place, name or default_name(text), contents, uri=text)


def absolute_uri(uri: str | Path, relative_to: Path | None = None) -> str:
    """Return a URI with its paths made absolute, so that it opens from any folder; hub ids stay as they are.

    Args:
        uri: what a person wrote.
        relative_to: the folder that relative paths start from; the working directory if left out.

    Raises:
        SourceError: see `parse_terms`.
    """
    base, loras = parse_terms(str(uri))
    folder = relative_to or Path.cwd()
    return " + ".join([_absolute(base, folder), *(f"{scale} * {_absolute(lora, folder)}" for scale, lora in loras)])


def is_at_hand(uri: str) -> bool:
    """Return whether opening a source takes neither a download nor a conversion, so that a page may wait for it."""
    base, loras = parse_terms(uri)
    for text in (base, *(lora for _, lora in loras)):
        named = hub_id(text)
        if (named and not hub.is_cached(named)) or (named is None and Path(text).suffix in PICKLE_SUFFIXES):
            return False
    return True


def download_progress(uri: str) -> tuple[int, int] | None:
    """Return how much of what a source needs has come from the hub, while another process fetches it.

    Args:
        uri: what a person wrote.

    Returns:
        Bytes that have come, and bytes in all; `None` where nothing is on the hub, or where the hub has not said yet
        what there is.
    """
    base, loras = parse_terms(uri)
    progress = [
        hub.download_progress(named) for text in (base, *(lora for _, lora in loras)) if (named := hub_id(text))
    ]
    known = [part for part in progress if part is not None]
    return (sum(done for done, _ in known), sum(of for _, of in known)) if progress and known == progress else None


def parse_terms(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Split a URI into its base and the LoRAs on it, each with its scale; all as they are written.

    Raises:
        SourceError: no base, no LoRA after a number, a number that is not finite.
    """
    base, *others = _PLUS.split(text.strip())
    if not base:
        raise SourceError(f"A source is named by nothing. {_FORMS}.")
    loras = []
    for other in others:
        term = _TERM.fullmatch(other)
        if term is None or not math.isfinite(float(term[1])):
            raise SourceError(f"{text!r} cannot be read at {other!r}. {_FORMS}.")
        loras.append((term[1], term[2]))
    return base, loras


def _absolute(text: str, folder: Path) -> str:
    """Return a base or a LoRA with its path made absolute, from a folder; a hub id stays as it is."""
    place = os.path.abspath(folder / os.path.expanduser(text))
    return text if hub.parse_hub_id(text) and not os.path.exists(place) else place


def _locate(text: str) -> Path:
    """Return the folder or file that an absolute base or LoRA names; what is on the hub is fetched."""
    identifier = hub.parse_hub_id(text)  # never of an absolute path
    if identifier:
        return hub.fetch(identifier)
    if not os.path.exists(text):
        raise SourceError(f"There is nothing at {text}. {_FORMS}.")
    return Path(text)


def _readable_file(place: Path) -> Path:
    """Return a file that can be read as safetensors: the same one, or a pickled one converted."""
    return as_safetensors(place) if place.suffix in PICKLE_SUFFIXES and place.is_file() else place


def _lora_file(text: str) -> Path:
    """Return the safetensors file of a LoRA."""
    place = _locate(text)
    if place.is_dir():
        inside = sorted(file.name for file in place.glob("*.safetensors"))
        example = place / (inside[0] if inside else "pytorch_lora_weights.safetensors")
        raise SourceError(f"{text} is a folder. Expected a LoRA file after '*', such as {example}.")
    return _readable_file(place)


def hub_id(text: str) -> hub.HubId | None:
    """Read a base or a LoRA as a hub id; `None` where something of that name lies here, or where it is none."""
    return None if os.path.exists(text) else hub.parse_hub_id(text)


def default_name(uri: str) -> str:
    """Return the name of a source that nobody named: that of its folder, file or repository, or of its last LoRA."""
    base, loras = parse_terms(uri)
    text = loras[-1][1] if loras else base
    identifier = hub_id(text)
    if identifier:
        return identifier.name
    place = Path(text)
    return place.name if place.is_dir() else place.stem
