"""Names of repositories of the Hugging Face hub, and of files in them; nobody is asked whether they exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines.storage.formats import PICKLE_SUFFIXES

_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>refs/pr/\d+|[^/@\s]+))?(/(?P<file>.+))?", re.ASCII)
_FILES = (".safetensors", *PICKLE_SUFFIXES)


@dataclass(frozen=True)
class HubId:
    """The name of a repository of the hub, or of one weights file in it: `owner/name[@revision][/path/to/file]`."""

    repo: str
    revision: str | None = None
    file: str | None = None

    @property
    def name(self) -> str:
        """What a source from there is called: the file's stem or the repository's name."""
        return PurePosixPath(self.file).stem if self.file else self.repo.partition("/")[2]


def parse_hub_id(text: str) -> HubId | None:
    """Read `text` as a hub id; `None` where it is none, such as a path that is absolute or to another kind of file."""
    match = _ID.fullmatch(text)
    if not match or match["repo"].lower().endswith(_FILES):
        return None
    if not (match["file"] or _FILES[0]).lower().endswith(_FILES):
        return None
    from huggingface_hub.errors import HFValidationError  # here, not above: most texts are paths
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(match["repo"])
    except HFValidationError:
        return None
    return HubId(match["repo"], match["revision"], match["file"])
