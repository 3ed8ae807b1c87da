"""Adding sources to those that the studio knows: what would be added, what it takes, and the work."""

from __future__ import annotations

from pathlib import Path

from pipelines.checkpoints.source_uri import default_name, is_at_hand, open_source_uri
from pipelines.errors import M2N2Error, unreadable
from pipelines.recipes.mergeable import check_mergeable
from pipelines.recipes.recipe import parse_recipe
from pipelines.untrusted import UnreadableDocument, read_text, read_yaml
from studio.errors import RunError
from studio.formatting import format_bytes, format_duration
from studio.i18n import Lang, phrase, t, worded
from studio.library import source_library
from studio.library.fetch import fetch_source
from studio.markdown import markdown_text
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio

from .cards import Entry, entry
from .similarity import Tell

MOST_LINES = 64  # sources that are looked at at a time


def lines(text: str) -> list[str]:
    """The sources written in a field, one a line.

    Raises:
        RunError: more than `MOST_LINES`.
    """
    written = [line.strip().strip('"') for line in text.splitlines() if line.strip()]
    if len(written) > MOST_LINES:
        raise RunError(
            "Expected at most {most_lines} sources at a time, found {found}. Add them in parts.",
            most_lines=MOST_LINES,
            found=len(written),
        )
    return written


def look(studio: Studio, lang: Lang, text: str) -> str:
    """What adding these sources would take, before anything long: Markdown, a line for each."""
    said, folders = [], studio.open_folders
    for line in lines(text):
        try:
            uri = folders.source(line)
            if not is_at_hand(uri):
                said.append(t(lang, "look_fetch", name=markdown_text(default_name(uri))))
                continue
            found = entry(source_library.KnownSource(uri))
            said.append(_described(lang, found))
        except M2N2Error as error:
            said.append(f"⚠️ {markdown_text(worded(lang, error))}")
    return "\n".join(f"- {one}" for one in said) or t(lang, "add_hint")


def _described(lang: Lang, found: Entry) -> str:
    if found.source is None:
        return f"⚠️ {markdown_text(worded(lang, found.problem))}"
    source = found.source
    words = t(
        lang,
        "look_found",
        name=markdown_text(source.name),
        architecture=source.architecture,
        size=format_bytes(source.size),
        licence=markdown_text(source.licence or t(lang, "licence_unknown")),
    )
    try:
        check_mergeable([source])
    except M2N2Error as error:
        return f"⚠️ {words} {markdown_text(worded(lang, error))}"
    known = all(part.is_hashed for part in source.components.values())
    return f"{words} {t(lang, 'look_known' if known else 'look_hash', size=format_bytes(source.size))}"


@at_field("own")
def add(studio: Studio, lang: Lang, text: str, tell: Tell) -> list[str]:
    """Fetch, check, hash and remember sources; returns them as they are remembered.

    Raises:
        M2N2Error: one of them cannot be had or cannot be bred; those before it are remembered.
    """
    uris = studio.open_folders.sources(lines(text))
    if not uris:
        raise RunError(phrase("add_nothing"))
    for uri in uris:
        if not is_at_hand(uri):
            fetch_source(uri, lambda seconds, come: tell(*_fetching(lang, seconds, come)))
        source = open_source_uri(uri)
        check_mergeable([source])
        source_library.hash_source(
            source,
            lambda done, of: tell(done / of, t(lang, "hashing", done=format_bytes(done), of=format_bytes(of))),
        )
        source_library.add_source(studio.runs, uri)
    return uris


def _fetching(lang: Lang, seconds: float, come: tuple[int, int] | None) -> tuple[float, str]:
    """How far a source has come, as a share and in words."""
    done, of = come or (0, 0)
    if not done:
        return 0.0, t(lang, "fetching", seconds=round(seconds))
    left = format_duration(lang, seconds * (of - done) / done)
    return done / of, t(lang, "fetching_bytes", done=format_bytes(done), of=format_bytes(of), left=left)


@at_field("drop")
def sources_in(path: Path) -> list[str]:
    """The sources that a dropped file names: those of a recipe, of a run file, or of a list of sources.

    Raises:
        M2N2Error: it names none, or cannot be read.
    """
    try:
        if path.suffix == ".json":
            return [one.uri for one in parse_recipe(read_text(path), where=path.name).sources]
        content = read_yaml(path)
    except (OSError, UnreadableDocument) as error:
        raise RunError(
            "{name} cannot be read ({reason}). Expected a recipe (JSON) or a run file (YAML).",
            name=path.name,
            reason=unreadable(error),
        ) from error
    named = content.get("sources") if isinstance(content, dict) else None
    if not isinstance(named, list) or not named:
        raise RunError(
            "{name} names no sources. Expected a recipe (JSON), or a run file (YAML) with `sources:`.", name=path.name
        )
    return [str(uri) for uri in named]
