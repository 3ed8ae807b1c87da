"""Checkpoints of the Hugging Face hub: which files of a repository a source needs, and fetching them into its cache.

What is in the cache is used as it is and asks nobody, so a source does not change under a run and opens without a
network; `hf download OWNER/NAME` brings a newer version. The rest is fetched with huggingface_hub's own progress bars,
accounts and settings (`HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`).
"""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from huggingface_hub import constants, get_cached_repo_tree, get_token, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.errors import DiskError, Phrase, SourceError
from pipelines.storage.disk_space import check_room

from .hub_names import HubId

_INDEX = "model_index.json"
_SMALL = ("tokenizer", "tokenizer_2", "scheduler")
_CARD, _LICENCE = "README.md", "LICENSE"  # what a licence check reads; the second is how the names begin


def fetch(source: HubId) -> Path:
    """Fetch what a hub id names, from the cache or else from the hub.

    Of a diffusers repository come `model_index.json`, configurations, tokenizers, the card and the licence, and one set
    of safetensors weights for each component: fp16 where there is one.

    Returns:
        The folder of the repository in the cache, or the file in it.

    Raises:
        SourceError: no such repository, revision or file; a licence to be accepted first; no safetensors weights; no
            network, or offline mode, and not in the cache.
        DiskError: no room.
    """
    try:
        return _cached(source, complete=True) or _download(source)
    except (SourceError, DiskError):
        raise
    except Exception as error:  # huggingface_hub lets errors of several libraries through
        place = _cached(source, complete=False)
        if place is None:
            raise _explain(source, error) from error
        return place


def download_progress(source: HubId) -> tuple[int, int] | None:
    """Return how much of what is needed has come, while another process fetches it; asks nobody.

    Returns:
        Bytes that have come, and bytes in all; `None` as long as the hub has not said what there is.
    """
    folder = _snapshot(source)
    try:
        sizes = _listing(source)
        needed = needed_files(sizes, source).files
    except (CachedRepoTreeNotFoundError, SourceError):
        return None
    whole = sum(sizes[file] for file in needed if folder and (folder / file).is_file())
    total = sum(sizes[file] for file in needed)
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source.repo, repo_type="model") / "blobs"
    parts = sum(file.stat().st_size for file in blobs.glob("*.incomplete"))
    return min(whole + parts, total), total


def _explain(source: HubId, error: Exception) -> SourceError:
    """Return the error that says why a hub id could not be fetched, and what to do."""
    page = f"{constants.ENDPOINT}/{source.repo}"
    if isinstance(error, GatedRepoError):
        who = Phrase("the account of your token") if get_token() else Phrase("an account")
        return SourceError(
            "{repo} is gated: its author lets {who} have it once it has accepted the terms. Open {page} and "
            "accept them, then run `hf auth login` or set HF_TOKEN, and try again.",
            repo=source.repo,
            who=who,
            page=page,
        )
    if isinstance(error, RepositoryNotFoundError):
        return SourceError(
            "{repo} is no folder here, and {hub} has no such repository that you can see. "
            "Expected a path, or owner/name; check the spelling, and run `hf auth login` if it is private.",
            repo=source.repo,
            hub=constants.ENDPOINT,
        )
    if isinstance(error, RevisionNotFoundError):
        return SourceError(
            "{repo} has no revision {revision!r}. Expected a branch, a tag or a whole commit hash; "
            "{page}/commits lists them.",
            repo=source.repo,
            revision=source.revision,
            page=page,
        )
    reason = str(error.__cause__ or error).strip().partition("\n")[0]
    if isinstance(error, (LocalEntryNotFoundError, CachedRepoTreeNotFoundError)):
        return SourceError(
            "{repo} is no folder here, nor complete in the hub's cache ({cache}), and the hub "
            "cannot be asked: {reason} Fetch it where there is a network, `{command}`, or give the path of a "
            "copy.",
            repo=source.repo,
            cache=constants.HF_HUB_CACHE,
            reason=reason,
            command=_command(source),
        )
    return SourceError(
        "{repo} could not be fetched ({kind}: {reason}). What has come is kept: try again.",
        repo=source.repo,
        kind=type(error).__name__,
        reason=reason,
    )


class NeededFiles(NamedTuple):
    """The files of a repository that a source needs."""

    files: list[str]  # paths in the repository
    single: str | None = None  # which of them is the source, where that is a single file


def needed_files(files: Collection[str], source: HubId) -> NeededFiles:
    """Choose the files that a source needs, of all that a repository holds.

    Args:
        files: paths in the repository.
        source: the repository, or one file in it.

    Raises:
        SourceError: the file is not there, more than one could be meant, or a component has pickled weights only.
    """
    papers = list(filter(_is_paper, files))
    whole = [file for file in files if file.endswith(".safetensors")]
    folder = _INDEX in files or bool(_inside("unet", files))
    if source.file is None and folder:
        return NeededFiles([*papers, *_folder_files(files, source)])
    single = source.file or (whole[0] if len(whole) == 1 else None)
    if single is None or single not in files:
        problem = (
            Phrase("holds no {single}", single=single)
            if single
            else Phrase("is no diffusers folder, and {files} of its files could be meant", files=len(whole))
        )
        raise SourceError(
            "{repo} {problem}. Expected one of its files: {files}.",
            repo=source.repo,
            problem=problem,
            files=_list_files(source, whole),
        )
    beside = str(PurePosixPath(single).with_name("adapter_config.json"))  # says how strong a LoRA of peft is
    return NeededFiles([*papers, single, *(file for file in files if file == beside)], single)


def _folder_files(files: Collection[str], source: HubId) -> Iterator[str]:
    """Yield what a diffusers folder needs: index, configurations, tokenizers, and one set of weights per component."""
    yield from (file for file in files if file == _INDEX)
    for part in _SMALL:
        yield from (file for file in _inside(part, files) if not file.endswith(".py"))  # no code comes with a source
    for part in WEIGHTED_COMPONENTS:
        inside = _inside(part, files)
        yield from (file for file in inside if file == f"{part}/config.json")
        weights = _weights(part, inside)
        if inside and not weights:
            raise SourceError(
                "{repo} has no safetensors weights of {part}. Expected {part}/diffusion_pytorch_model"
                ".safetensors or model.safetensors; pickled .bin files are not opened: use another revision or copy.",
                repo=source.repo,
                part=part,
            )
        yield from weights


def _inside(part: str, files: Collection[str]) -> list[str]:
    return [file for file in files if file.rpartition("/")[0] == part]


def _weights(part: str, inside: Collection[str]) -> list[str]:
    """Return one set of weights of a component: a file, or an index and its shards; half precision before full."""
    for variant in (".fp16", ""):
        for stem in (f"{part}/diffusion_pytorch_model", f"{part}/model"):
            single, index = f"{stem}{variant}.safetensors", f"{stem}.safetensors.index{variant}.json"
            if single in inside:
                return [single]
            if index in inside:
                number = r"-\d+-of-\d+"  # after the variant, or before it in older files
                shard = re.compile(
                    rf"{re.escape(stem)}({re.escape(variant)}{number}|{number}{re.escape(variant)})\.safetensors"
                )
                return [index, *filter(shard.fullmatch, inside)]
    return []


def is_cached(source: HubId) -> bool:
    """Return whether the cache holds enough of a source to open it without asking the hub."""
    return _cached(source, complete=False) is not None


def _cached(source: HubId, *, complete: bool) -> Path | None:
    """Look for a source in the cache; asks nobody.

    Args:
        source: what to look for.
        complete: whether all that `needed_files` asks for must be there; else the card and the licence may be missing,
            and so may what nobody knows of, where another program filled the cache.

    Returns:
        Its folder or file; `None` where it is not there.
    """
    folder = _snapshot(source)
    if folder is None:
        return None
    try:
        files: Collection[str] = _listing(source)
    except CachedRepoTreeNotFoundError:
        if complete:
            return None
        files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    try:
        chosen = needed_files(files, source)
    except SourceError:  # which the hub may have mended since
        return None
    needed = [file for file in chosen.files if complete or not _is_paper(file)]
    return _locate(folder, chosen) if all((folder / file).is_file() for file in needed) else None


def _snapshot(source: HubId) -> Path | None:
    """Return the folder of a revision in the cache, complete or not."""
    try:
        return Path(snapshot_download(source.repo, revision=source.revision, allow_patterns=[], local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _listing(source: HubId) -> Mapping[str, int]:
    """Return the files of a repository and their sizes in bytes, as the cache knows them."""
    return {file.path: file.size for file in get_cached_repo_tree(source.repo, revision=source.revision)}


def _download(source: HubId) -> Path:
    """Ask the hub what there is, and fetch what is needed of it."""
    folder = Path(
        snapshot_download(source.repo, revision=source.revision, allow_patterns=[_INDEX, _CARD, _LICENCE + "*"])
    )
    sizes = _listing(source)
    chosen = needed_files(sizes, source)
    missing = sum(sizes[file] for file in chosen.files if not (folder / file).is_file())
    check_room(Path(constants.HF_HUB_CACHE), missing, Phrase("Fetching {repo}", repo=source.repo))
    patterns = [glob.escape(file) for file in chosen.files]
    return _locate(Path(snapshot_download(source.repo, revision=source.revision, allow_patterns=patterns)), chosen)


def _is_paper(file: str) -> bool:
    return file == _CARD or file.startswith(_LICENCE)


def _locate(folder: Path, chosen: NeededFiles) -> Path:
    return folder / chosen.single if chosen.single else folder


def _list_files(source: HubId, files: list[str]) -> str:
    revision = f"@{source.revision}" if source.revision else ""
    named = [f"{source.repo}{revision}/{file}" for file in files[:5]]
    return ", ".join(named) + (f" and {len(files) - 5} more" if len(files) > 5 else "") or "it holds no safetensors"


def _command(source: HubId) -> str:
    what = (
        f" {source.file}" if source.file else ' --include "*.json" --include "tokenizer*/*" --include "*/*.safetensors"'
    )
    return f"hf download {source.repo}{what}" + (f" --revision {source.revision}" if source.revision else "")
