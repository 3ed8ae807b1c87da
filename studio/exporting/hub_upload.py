"""Push: an export to a repository of the Hugging Face hub, in one commit."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id

from pipelines.errors import ExportError, Phrase
from pipelines.exporting.export import CONFIG_FOLDER, about_folder
from pipelines.exporting.manifest import MANIFEST_FILE, manifest, read_manifest
from pipelines.exporting.verify import Progress
from studio.licences.gate import check_licences

from .registry import open_export
from .verification import verify_export
from .written_export import WrittenExport

_HINTS = {
    401: Phrase("The token does not hold: run `hf auth login`, or set HF_TOKEN to another one."),
    403: Phrase("The token may not write there: use one with write access, or a repository of your own."),
    404: Phrase("Expected a repository that you may write to: check its owner and your token."),
}


def check_push(repo: str, api: HfApi | None = None) -> None:
    """Refuse, before anything is built, what the hub would refuse afterwards.

    Args:
        repo: owner/name.
        api: the hub; the one that huggingface_hub is set up for if left out.

    Raises:
        ExportError: no such name, no network, no token or one that does not hold.
    """
    api = api or HfApi()
    with _explained(repo, api):
        validate_repo_id(repo)
        if repo.count("/") != 1:
            raise HFValidationError(f"{repo!r} has no owner")
        if constants.HF_HUB_OFFLINE:
            raise OfflineModeIsEnabled
        if not (api.token or get_token()):
            raise ExportError(
                "No token for the hub was found. Run `hf auth login`, or set HF_TOKEN to one that may write."
            )
        api.whoami()


def push_export(export: WrittenExport, repo: str, api: HfApi | None = None, *, progress: Progress | None = None) -> str:
    """Verify an export, its sources too, and upload it with its documents; the recipe of one has nothing to verify.

    A repository that is new is made private; one that is there keeps what it is, and its other files.

    Args:
        export: on this disk.
        repo: owner/name.
        api: the hub; the one that huggingface_hub is set up for if left out.
        progress: of verifying, as in `verify_export`.

    Returns:
        The page of the repository.

    Raises:
        LicenceError: licences stand against it, and nobody stated why it may be done.
        ExportError: the export is not what its recipe gives; or the hub refused it, and it is whole on this disk.
    """
    if export.holds_weights:
        check_licences(export.recipe, export.inherited)
    api = api or HfApi()
    if export.holds_weights:
        verification = verify_export(open_export(export.path), progress, deep=True)
        if not verification.same:
            first = "; ".join(verification.sentences("en")[:3])
            raise ExportError(
                "{path} is not what was written ({first}). Expected every bit to be the same before it is "
                "shared; nothing was uploaded. See `m2n2 verify --deep`, and export it again.",
                path=export.path,
                first=first,
            )
    remains = Phrase(" {path} is whole. `hf upload {repo} {path}` sends it as it lies.", path=export.path, repo=repo)
    with _explained(repo, api, remains):
        page = api.create_repo(repo, private=True, exist_ok=True)
        api.create_commit(repo, _operations(export), commit_message=f"Add {export.path.name}")
    return str(page)


def _operations(export: WrittenExport) -> list[CommitOperationAdd]:
    path, about = export.path, about_folder(export.path)
    if not export.holds_weights:
        with zipfile.ZipFile(path) as packed:
            return [CommitOperationAdd(name, packed.read(name)) for name in packed.namelist()]
    documents = path if path.is_dir() else about
    files = {file.relative_to(documents).as_posix(): file for file in sorted(documents.rglob("*")) if file.is_file()}
    if documents is about:
        files[path.name] = path
    card = files["README.md"].read_text("utf-8").replace(f'"{about.name}/{CONFIG_FOLDER}"', f'"{CONFIG_FOLDER}"')
    rewritten = {"README.md": card.encode()}
    rewritten[MANIFEST_FILE] = _manifest(documents, rewritten)
    return [CommitOperationAdd(name, rewritten.get(name, str(file))) for name, file in files.items()]


def _manifest(documents: Path, rewritten: Mapping[str, bytes]) -> bytes:
    """Make the manifest of what is uploaded: of a single file, in one folder with its documents."""
    digests = {name.removeprefix("../"): digest for name, digest in (read_manifest(documents) or {}).items()}
    return manifest(digests | {name: hashlib.sha256(content).hexdigest() for name, content in rewritten.items()})


@contextlib.contextmanager
def _explained(repo: str, api: HfApi, remains: str = "") -> Iterator[None]:
    try:
        yield
    except ExportError:
        raise
    except HFValidationError as error:
        raise ExportError(
            "{repo!r} is no name of a repository. Expected OWNER/NAME ({error}).", repo=repo, error=error
        ) from error
    except OfflineModeIsEnabled as error:
        raise ExportError(
            "Offline mode is on, and {repo} is on the hub. Unset HF_HUB_OFFLINE.{remains}", repo=repo, remains=remains
        ) from error
    except HfHubHTTPError as error:
        hint = _HINTS.get(error.response.status_code, Phrase("Try again later."))
        reply = error.server_message or Phrase("status {status}", status=error.response.status_code)
        raise ExportError(
            "The hub refused {repo}: {reply}. {hint}{remains}", repo=repo, reply=reply, hint=hint, remains=remains
        ) from error
    except Exception as error:  # huggingface_hub lets errors of several libraries through
        raise ExportError(
            "{repo} could not be pushed to {hub} ({kind}: {error}). Expected a connection to the hub.{remains}",
            repo=repo,
            hub=api.endpoint,
            kind=type(error).__name__,
            error=error,
            remains=remains,
        ) from error
