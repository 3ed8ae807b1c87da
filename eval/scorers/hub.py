"""Files of hub repositories: from a folder, from the hub's cache, downloaded; or what to download, in words.

What the cache holds is used as it is, without asking the hub: a run that is resumed keeps its weights, and a machine
without a network does not wait for one.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, is_offline_mode, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)

from pipelines.errors import Phrase
from pipelines.untrusted import UnreadableDocument, read_json

from .catalogue import RECOMMENDED

logger = logging.getLogger(__name__)

TEXT_FILES = ("*.json", "*.model", "*.txt")  # what is fetched of a repository that lends a tokenizer or a configuration


def cached(repository: str, candidates: tuple[str, ...]) -> Path | None:
    """The first of `candidates` that the hub's cache holds of a repository."""
    try:
        found = [try_to_load_from_cache(repository, file) for file in candidates]
    except HFValidationError:  # no name that a repository can have: the hub says so in words
        return None
    return next((Path(path) for path in found if isinstance(path, str)), None)


@dataclass
class Hub:
    """Finds files of repositories, and keeps account of what it could not get, so that one message can name it all."""

    own: Path | None = None  # a folder that is looked into first
    missing: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # repository, files of which one is needed
    trouble: Exception | None = None  # why downloading ended

    def file(self, repository: str, candidates: tuple[str, ...]) -> Path | None:
        """The first of `candidates` that the repository has; None if it cannot be had."""

        def fetch() -> None:
            for file in candidates:
                with contextlib.suppress(RemoteEntryNotFoundError):
                    hf_hub_download(repository, file)
                    break

        return self._get(repository, candidates, fetch)

    def folder(self, repository: str, candidates: tuple[str, ...]) -> Path | None:
        """The folder with the repository's text files, one of `candidates` among them; None if it cannot be had."""
        if os.path.isdir(repository):  # a path would raise for a name that is too long
            return Path(repository)
        text_files = list(TEXT_FILES)
        here = self._get(repository, candidates, lambda: snapshot_download(repository, allow_patterns=text_files))
        return here.parent if here else None

    def what_to_download(self, name: str) -> str:
        """What is missing of the scorer `name`, why, and what to do about it."""
        wanted, commands = [], []
        for repository in dict.fromkeys(repository for repository, _ in self.missing):
            known = next((one for one in RECOMMENDED if one.repository == repository), None)
            needs = [candidates for owner, candidates in self.missing if owner == repository]
            texts = [candidates for candidates in needs if candidates[0].endswith(".json")]
            wanted += [f"{candidates[0]} of {repository}" for candidates in texts]
            patterns = ["config.json"] if texts == [("config.json",)] else list(TEXT_FILES if texts else ())
            for candidates in (candidates for candidates in needs if candidates not in texts):
                if known:
                    wanted.append(f"{known.file} (about {known.bytes / 1e9:.1f} GB, {known.licence}) of {repository}")
                    patterns.append(known.file)
                else:
                    wanted.append(f"{' or '.join(candidates)} of {repository}")
                    patterns += candidates
            commands.append(" ".join([f"hf download {repository}", *(f'--include "{one}"' for one in patterns)]))
        found = (
            f"scorer {name!r}: expected its files in {f'{self.own} or ' if self.own else ''}the hub's cache, "
            f"{constants.HF_HUB_CACHE}; found no {', no '.join(wanted)}: {self._why()}"
        )
        if isinstance(self.trouble, HFValidationError | RepositoryNotFoundError):  # no command would do better
            return found
        here = f" --local-dir {self.own}" if self.own else ""
        what = " and ".join(f"`{command}{here}`" for command in commands)
        if self.own:
            return f"{found}; where there is a network, run {what}"
        folder = f"'local-dir:/path'; or add --local-dir /path and name '{name}@/path'"
        if ":" in name:
            folder = "'local-dir:/path'"
        return (
            f"{found}; where there is a network, run {what}, with HF_HOME set as here, or copy its cache to this one; "
            f"or name a folder that holds a whole open_clip model, {folder}"
        )

    def _get(self, repository: str, candidates: tuple[str, ...], fetch: Callable[[], object]) -> Path | None:
        here = self._in_own(candidates) or cached(repository, candidates)
        if here is None and self.trouble is None and not is_offline_mode():
            logger.info("downloading %s of %s", " or ".join(candidates), repository)
            try:
                fetch()
                here = cached(repository, candidates)
            except Exception as error:  # the hub, the network, the disk: reported with what is missing
                self.trouble = error
        if here is None:
            self.missing.append((repository, candidates))
        return here

    def _in_own(self, candidates: tuple[str, ...]) -> Path | None:
        found = [self.own / file for file in candidates if (self.own / file).is_file()] if self.own else []
        return next((path for path in found if path.name != "config.json" or _is_transformers(path)), None)

    def _why(self) -> str:
        if is_offline_mode():
            return Phrase("HF_HUB_OFFLINE is set, so nothing was downloaded")
        if self.trouble is None:
            return Phrase("the repository has no such file")
        if isinstance(self.trouble, GatedRepoError):
            return Phrase("the repository is gated: accept its terms on its page, then run `hf auth login`")
        if isinstance(self.trouble, RepositoryNotFoundError):
            return Phrase("the hub has no such repository, or not for you; check the name, or run `hf auth login`")
        if isinstance(self.trouble, LocalEntryNotFoundError):
            return Phrase("the hub cannot be reached")
        return Phrase("the download failed ({problem})", problem=" ".join(str(self.trouble).split()))


def _is_transformers(config: Path) -> bool:
    """Whether this configures a transformers model; timm's configurations are called `config.json` too."""
    try:
        content = read_json(config)
    except (OSError, UnreadableDocument):
        return False
    return isinstance(content, dict) and "model_type" in content
