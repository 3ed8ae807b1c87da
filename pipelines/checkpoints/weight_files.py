"""The files of a folder that hold a component's weights: one, or the shards that an index names, whatever its age."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import Phrase, SourceError
from pipelines.untrusted import parse_json, read_bytes

STEMS = ("diffusion_pytorch_model", "model")
VARIANTS = (".fp16", "")  # the fp16 variant goes first: the hub's cache may hold both, and an id must mean one of them
_SHARD = re.compile(
    r"(?P<stem>.+?)(?P<before>\.fp16)?(?P<number>-\d{1,9}-of-\d{1,9})(?P<after>\.fp16)?\.(safetensors|bin)"
)


def component_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a component: one, or the shards that an index names.

    Raises:
        SourceError: there are none; says what lies there instead.
    """
    for stem in STEMS:
        for variant in VARIANTS:
            single = folder / f"{stem}{variant}.safetensors"
            if single.is_file():
                return [single]
            for index in index_names(stem, variant):
                if (folder / index).is_file():
                    return shards(folder / index)
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    found = (
        Phrase("found {name}, which is pickled: convert it to safetensors", name=pickled[0])
        if pickled
        else Phrase("found neither: copy it here")
    )
    raise SourceError(
        "{folder} holds no weights that are read. Expected {files}, or their index and shards; {found}.",
        folder=folder,
        files=" or ".join(f"{stem}.safetensors" for stem in STEMS),
        found=found,
    )


def index_names(stem: str, variant: str) -> Iterator[str]:
    """Yield what the index of a component's shards has been called over the years."""
    yield f"{stem}.safetensors.index{variant}.json"
    if variant:
        yield f"{stem}.safetensors{variant}.index.json"
        yield f"{stem}{variant}.safetensors.index.json"
    yield f"{stem}.bin.index{variant}.json"


def network_files(place: Path) -> list[Path]:
    """Return all safetensors files of a folder, or those that its only index names.

    Raises:
        SourceError: there are none.
    """
    if not place.is_dir():
        return [place]
    indices = [path for path in sorted(place.glob("*.safetensors.index.json")) if not path.name.startswith(".")]
    if len(indices) == 1:
        return shards(indices[0])
    files = [path for path in sorted(place.glob("*.safetensors")) if not path.name.startswith(".")]
    if not files:
        raise SourceError(
            "{place} holds no weights. Expected .safetensors files in this folder itself; pickled files are not "
            "opened: convert them to safetensors.",
            place=place,
        )
    return files


def shards(index: Path) -> list[Path]:
    """Return the files that an index names; one that names them as they were called before a conversion finds them.

    Raises:
        SourceError: it names none, or one that is not there.
    """
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise SourceError(
            "{index} names no files. Expected a weight_map of tensors to files, as diffusers writes it.", index=index
        )
    return [_shard(index, name) for name in sorted(set(map(str, named.values())))]


def _shard(index: Path, name: str) -> Path:
    """Return a shard under the name that an index has for it, or under those that it was converted or moved to."""
    spelt = [name, *_other_names(name)]
    found = next((index.parent / one for one in spelt if _is_tensor_file(index.parent / one)), None)
    if found is None:
        there = (index.parent / name).is_file()
        pickled = Phrase("; it is there, and pickled: convert it to safetensors") if there else ""
        raise SourceError(
            "{index} names {name}, which is not there as safetensors{pickled}. Expected all of its shards beside it.",
            index=index,
            name=name,
            pickled=pickled,
        )
    return found


def _other_names(name: str) -> Iterator[str]:
    match = _SHARD.fullmatch(name)
    if match:
        stem, number = match["stem"], match["number"]
        variants = dict.fromkeys([match["before"] or match["after"] or "", ".fp16", ""])
        for variant in variants:
            yield f"{stem}{variant}{number}.safetensors"
            yield f"{stem}{number}{variant}.safetensors"
    elif name.endswith(".bin"):
        yield f"{name.removesuffix('.bin')}.safetensors"


def _is_tensor_file(path: Path) -> bool:
    return path.suffix == ".safetensors" and path.is_file()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        SourceError: no such file, no JSON, no object.
    """
    try:
        content = parse_json(read_bytes(path))
    except FileNotFoundError:
        raise SourceError("{path} is missing. Expected a complete diffusers folder.", path=path) from None
    except (OSError, ValueError) as error:
        raise SourceError(
            "{path} cannot be read as JSON ({error}). Expected a complete diffusers folder.", path=path, error=error
        ) from error
    if not isinstance(content, dict):
        raise SourceError("{path} holds no JSON object. Expected a complete diffusers folder.", path=path)
    return content
