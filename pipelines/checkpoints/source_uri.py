"""Source URIs: what a person may write where a source is asked for, in run files, recipes and on the command line.

    models/ja                           a diffusers folder
    models/anime.safetensors            a single file, also .ckpt
    owner/name                          a repository of the Hugging Face hub, where there is no such path here
    owner/name@revision                 a branch, tag or commit of it
    owner/name/path/file.safetensors    one file of it
    BASE + 0.8 * LORA - 0.5 * LORA      LoRAs baked into a base, each of them any of the above
    BASE + 0.8 unet * LORA              its UNet's part alone; `clip` is that of both text encoders
    any of these as v-prediction        of a file that does not say what it predicts; also epsilon, v-prediction+ztsnr
    NAME = any of these                 called by a name of its own

Paths are relative to the file that they are written in, or to the working directory.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.architectures.keys import TEXT_ENCODERS
from pipelines.errors import SourceError
from pipelines.storage.formats import PICKLE_SUFFIXES

from .hub_names import HubId, parse_hub_id
from .source_expression import FORMS, SourceExpression, parse_source, parse_terms

if TYPE_CHECKING:  # what a URI says is read without torch; only what it names is opened with it
    from .sources import Source

_ADAPTER_PARTS = {"unet": ("unet",), "clip": TEXT_ENCODERS}  # by the word after a scale


def open_source_uri(uri: str | Path, *, name: str | None = None, relative_to: Path | None = None) -> Source:
    """Open the source that a URI names.

    What lies on the hub is fetched, a pickled checkpoint is converted, both once.

    Args:
        uri: see above; the source's `uri` is this with its paths made absolute, and without a name.
        name: what to call it; if left out, the name written before `=`, or that of the folder, file or repository, with
            LoRAs that of the last.
        relative_to: the folder that relative paths start from; the working directory if left out.

    Raises:
        SourceError: nothing that is understood, nothing there, or nothing that can be merged; says which.
    """
    from .adapted import with_adapter
    from .sources import Source, open_source

    written = _with_absolute_paths(parse_source(str(uri), relative_to), relative_to)
    place = _locate(written.base)
    opened = open_source(_readable_file(place), lies_at=place)
    contents = opened.contents
    for scale, lora in written.adapters:
        number, _, part = scale.partition(" ")
        contents = with_adapter(contents, _lora_file(lora), float(number), parts=_ADAPTER_PARTS.get(part))
    return Source(place, name or _default_name(written), contents, uri=written.uri, prediction=written.prediction)


def absolute_uri(uri: str | Path, relative_to: Path | None = None) -> str:
    """Return a URI with its paths made absolute, so that it opens from any folder; hub ids stay as they are.

    Args:
        uri: what a person wrote.
        relative_to: the folder that relative paths start from; the working directory if left out.

    Raises:
        SourceError: see `parse_source`.
    """
    return _with_absolute_paths(parse_source(str(uri), relative_to), relative_to).text


def operand_places(uri: str) -> tuple[Path, ...]:
    """Return the folders and files that an absolute URI is made of: its base, then its LoRAs in their order.

    Raises:
        SourceError: see `parse_source`; or one of them is not there.
    """
    base, loras = parse_terms(uri)
    return tuple(_locate(text) for text in (base, *(lora for _, lora in loras)))


def is_at_hand(uri: str) -> bool:
    """Return whether opening a source takes neither a download nor a conversion, so that a page may wait for it."""
    from . import hub

    base, loras = parse_terms(uri)
    for text in (base, *(lora for _, lora in loras)):
        named = hub_id(text)
        if (named and not hub.is_cached(named)) or (named is None and Path(text).suffix.lower() in PICKLE_SUFFIXES):
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
    from . import hub

    base, loras = parse_terms(uri)
    progress = [
        hub.download_progress(named) for text in (base, *(lora for _, lora in loras)) if (named := hub_id(text))
    ]
    known = [part for part in progress if part is not None]
    return (sum(done for done, _ in known), sum(of for _, of in known)) if progress and known == progress else None


def _absolute(text: str, folder: Path) -> str:
    """Return a base or a LoRA with its path made absolute, from a folder; a hub id stays as it is."""
    place = os.path.abspath(folder / os.path.expanduser(text))
    return text if parse_hub_id(text) and not os.path.exists(place) else place


def _locate(text: str) -> Path:
    """Return the folder or file that an absolute base or LoRA names; what is on the hub is fetched."""
    identifier = parse_hub_id(text)  # never of an absolute path
    if identifier:
        from . import hub  # here, not above: few sources are on the hub

        return hub.fetch(identifier)
    if not os.path.exists(text):
        raise SourceError("There is nothing at {text}. {forms}.", text=text, forms=FORMS)
    return Path(text)


def _readable_file(place: Path) -> Path:
    """Return a file that can be read as safetensors: the same one, or a pickled one converted."""
    if place.suffix.lower() not in PICKLE_SUFFIXES or not place.is_file():
        return place
    from pipelines.storage.pickled import as_safetensors

    return as_safetensors(place)


def _lora_file(text: str) -> Path:
    """Return the safetensors file of a LoRA."""
    place = _locate(text)
    if place.is_dir():
        inside = sorted(file.name for file in place.glob("*.safetensors"))
        example = place / (inside[0] if inside else "pytorch_lora_weights.safetensors")
        raise SourceError(
            "{text} is a folder. Expected a LoRA file after '*', such as {example}.", text=text, example=example
        )
    return _readable_file(place)


def hub_id(text: str) -> HubId | None:
    """Read a base or a LoRA as a hub id; `None` where something of that name lies here, or where it is none."""
    return None if os.path.exists(text) else parse_hub_id(text)


def default_name(uri: str) -> str:
    """Return the name of a source: the one that is written, or that of its folder, file, repository or last LoRA."""
    return _default_name(parse_source(uri))


def _default_name(written: SourceExpression) -> str:
    if written.name:
        return written.name
    text = written.adapters[-1][1] if written.adapters else written.base
    identifier = hub_id(text)
    if identifier:
        return identifier.name
    place = Path(text)
    return place.name if place.is_dir() else place.stem


def _with_absolute_paths(written: SourceExpression, folder: Path | None) -> SourceExpression:
    start = folder or Path.cwd()
    adapters = tuple((scale, _absolute(adapter, start)) for scale, adapter in written.adapters)
    return replace(written, base=_absolute(written.base, start), adapters=adapters)
