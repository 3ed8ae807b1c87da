"""The names of scorers, and the files they stand for.

One string names a scorer:

    xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k         an open_clip model, a slash, the tag of its weights
    xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k@/path   the same, its files in a folder and not in the hub's cache
    local-dir:/path                                     a folder with `open_clip_config.json`, weights and tokenizer
    hf-hub:owner/name                                   a hub repository with the same files
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

from eval.errors import ScorerError
from pipelines.errors import unreadable
from pipelines.untrusted import UnreadableDocument, read_json

from .catalogue import RECOMMENDED
from .checked_config import check_model_config, check_transformers_folder
from .hub import Hub, cached
from .names import FOLDER, REPOSITORY

CONFIG = "open_clip_config.json"
WEIGHTS: tuple[str, ...] = (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME)
# Any one of them makes a tokenizer; which one depends on its kind.
TOKENIZER = ("tokenizer.json", "sentencepiece.bpe.model", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")


@dataclass(frozen=True)
class Files:
    """What a scorer is built from, all of it on this disk."""

    architecture: str  # what open_clip builds: a model of its own, or "local-dir:" and a folder
    text_cfg: dict[str, Any]  # of the architecture; its tower is a folder, never a hub repository
    tokenizer: Path | None  # folder; None for open_clip's own byte pairs
    options: dict[str, Any]  # further arguments of `open_clip.create_model_and_transforms`


def locate(name: str, *, weights: bool = True) -> Files:
    """Find a scorer's files, downloading what the cache lacks unless the hub is switched off.

    Args:
        name: see above.
        weights: look for the weights too; without them a tokenizer can be opened, and no model.

    Raises:
        ScorerError: no model has this name, or its files are neither here nor to be had; says what to download.
    """
    if name.startswith(FOLDER):
        folder = Path(os.path.expanduser(name.removeprefix(FOLDER)))
        hub = Hub(folder)
        files: Files | None = _of_folder(folder, hub)
    elif name.startswith(REPOSITORY):
        hub = Hub()
        repository = name.removeprefix(REPOSITORY)
        config = hub.file(repository, (CONFIG,))
        whole = not weights or hub.file(repository, WEIGHTS)
        files = _of_folder(config.parent, hub) if config and whole else None
    else:
        model, tag, own = split_name(name)
        hub = Hub(own)
        files = _of_tag(model, tag, hub, weights)
    if files is None or hub.missing:
        raise ScorerError("{wanted}", wanted=hub.what_to_download(name))
    return files


def weights_size(name: str) -> int | None:
    """Bytes of a scorer's weights on disk, without opening or downloading them; None where nobody here knows.

    Raises:
        ScorerError: no model has this name.
    """
    if name.startswith(FOLDER):
        folder = Path(os.path.expanduser(name.removeprefix(FOLDER)))
        sizes = [path.stat().st_size for path in folder.glob("*") if path.suffix in (".safetensors", ".bin", ".pth")]
        return max(sizes, default=None)
    own = None
    if name.startswith(REPOSITORY):
        repository, candidates = name.removeprefix(REPOSITORY), WEIGHTS
    else:
        model, tag, own = split_name(name)
        repository, candidates = _weights_of(model, tag)
    lying = [own / file for file in candidates if (own / file).is_file()] if own else []
    here = next(iter(lying), None) or cached(repository, candidates)
    if here is not None:
        return here.stat().st_size
    return next((one.bytes for one in RECOMMENDED if one.repository == repository), None)


def split_name(name: str) -> tuple[str, str, Path | None]:
    """The open_clip model, the tag of its weights and the folder with its files, of a name that has no prefix.

    Raises:
        ScorerError: open_clip has no such model, or no weights of this tag for it.
    """
    tagged, _, folder = name.partition("@")
    model, _, tag = tagged.rpartition("/")
    if open_clip.is_pretrained_cfg(model, tag):
        return model, tag, Path(os.path.expanduser(folder)) if folder else None
    known = [f"{one}/{tag}" for one in (tagged, model) for tag in open_clip.list_pretrained_tags_by_model(one)]
    if known:
        raise ScorerError(
            "scorer {name!r}: expected an open_clip model, a slash and the tag of its weights, found no such tag; "
            "choose one of: {known}",
            name=name,
            known=", ".join(known),
        )
    if os.path.exists(os.path.expanduser(name)):
        raise ScorerError(
            "scorer {name!r}: expected an open_clip model, found a path; for a folder write '{folder}{name}'",
            name=name,
            folder=FOLDER,
        )
    raise ScorerError(
        "scorer {name!r}: expected an open_clip model with published weights, found none of that name; use "
        "'{folder}/path', '{repository}owner/name', or a model and its tag from open_clip.list_pretrained(), "
        "like {names}",
        name=name,
        folder=FOLDER,
        repository=REPOSITORY,
        names=" or ".join(one.name for one in RECOMMENDED),
    )


def _of_tag(model: str, tag: str, hub: Hub, weights: bool) -> Files:
    pretrained = open_clip.get_pretrained_cfg(model, tag)
    options = {
        **({"pretrained": str(hub.file(*_weights_of(model, tag)))} if weights else {}),
        "force_quick_gelu": pretrained.get("quick_gelu", False),  # of the weights; the architecture may lack it
        **{f"image_{key}": pretrained.get(key) for key in ("mean", "std", "interpolation", "resize_mode")},
    }
    text, tokenizer = _text(open_clip.get_model_config(model)["text_cfg"], hub)
    return Files(model, text, tokenizer, options)


def _of_folder(folder: Path, hub: Hub) -> Files:
    try:
        model = read_json(folder / CONFIG)["model_cfg"]
        written = dict(model["text_cfg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        # the repr of undecodable bytes would hold the whole file
        reason = unreadable(error) if isinstance(error, UnreadableDocument) else repr(error)
        raise ScorerError(
            "scorer's configuration {file}: expected JSON with `text_cfg` in `model_cfg`, found: "
            "{reason}; check the name, the folder's files",
            file=folder / CONFIG,
            reason=reason,
        ) from error
    check_model_config(model, folder / CONFIG)
    text, tokenizer = _text(written, hub)
    return Files(f"{FOLDER}{folder}", text, tokenizer, {})


def _text(text: dict[str, Any], hub: Hub) -> tuple[dict[str, Any], Path | None]:
    """A text tower's configuration with folders in the place of hub repositories, and the tokenizer's folder.

    open_clip asks the hub for the configuration of a transformers tower, even where its weights come from a folder.
    """
    tower, tokenizer = text.get("hf_model_name"), text.get("hf_tokenizer_name")
    config = hub.folder(tower, ("config.json",)) if tower else None
    vocabulary = hub.folder(tokenizer, TOKENIZER) if tokenizer else None
    for folder in {config, vocabulary}:
        if folder is not None:
            check_transformers_folder(folder)
    if tower:
        text = {**text, "hf_model_name": str(config), "hf_model_pretrained": False}
    return text, vocabulary


def _weights_of(model: str, tag: str) -> tuple[str, tuple[str, ...]]:
    """The repository of a tag's weights, and the files that hold them: safetensors, or else what open_clip names."""
    repository, _, file = open_clip.get_pretrained_cfg(model, tag)["hf_hub"].rpartition("/")
    return repository, (str(Path(file).with_suffix(".safetensors")), str(file)) if file else WEIGHTS
