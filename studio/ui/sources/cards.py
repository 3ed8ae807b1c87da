"""The ledger of sources: a card for each with its pictures, papers and strengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from eval.prompts.prompt_set import Language
from pipelines.checkpoints.source_uri import is_at_hand, open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.errors import M2N2Error, Phrase
from studio.formatting import format_bytes, format_score
from studio.i18n import Lang, category_label, t, worded
from studio.library.adapter_notes import source_notes
from studio.library.source_description import describe_source
from studio.library.source_library import KnownSource, preview_files
from studio.library.source_strengths import LANGUAGES, SourceStrengths, best_categories
from studio.licences import ledger
from studio.licences.inheritance import source_licences
from studio.ui.common import html

PICTURES = 6  # on a card
PLACE = 36  # characters of a path, whose end tells more than its beginning


@dataclass(frozen=True)
class Entry:
    """A known source for its card; `problem` says why it could not be opened, `fetch` that it is not here yet."""

    known: KnownSource
    source: Source | None
    problem: str | None = None
    fetch: bool = False


def entry(known: KnownSource) -> Entry:
    """A known source, opened by its headers where that takes no download."""
    try:
        if not is_at_hand(known.uri):
            return Entry(known, None, fetch=True)
        source = open_source_uri(known.uri)
        source.component("unet")  # what is bred here has one
        return Entry(known, source)
    except M2N2Error as error:
        return Entry(known, None, error.phrase)


def cards(
    lang: Lang, entries: Sequence[Entry], found: Mapping[str, SourceStrengths], captions: Mapping[str, str]
) -> Markup:
    """A card per source.

    Args:
        lang: of the page.
        entries: the sources.
        found: what each is good at, by uri.
        captions: of previews that come with a source, by the stem of their file's name.
    """
    speakers = _tokenizers(entries)
    inner = [_card(lang, one, found, captions, speakers.get(one.known.uri, ())) for one in entries]
    return Markup('<div class="cards ledger">{}</div>').format(Markup("").join(inner))


def _card(
    lang: Lang,
    one: Entry,
    found: Mapping[str, SourceStrengths],
    captions: Mapping[str, str],
    speakers: Sequence[str],
) -> Markup:
    strengths = found.get(one.known.uri)
    if one.source is None:
        words = t(lang, "source_not_here") if one.fetch else worded(lang, one.problem or "")
        body = Markup('<p class="problem">{}</p>').format(words)
    else:
        body = _facts(lang, one.source, speakers)
    uri = one.known.uri
    return Markup(
        '<article class="card" aria-label="{0}"><h3>{0}</h3>{1}<p class="place" title="{2}">{3}</p>{4}{5}</article>'
    ).format(
        one.known.name,
        _strip(lang, one, strengths, captions),
        uri,
        uri if len(uri) <= PLACE else f"…{uri[-PLACE:]}",
        body,
        _scores(lang, uri, strengths, found),
    )


def _strip(lang: Lang, one: Entry, found: SourceStrengths | None, captions: Mapping[str, str]) -> Markup:
    """The pictures that come with a source, else what it drew in a run."""
    previews = preview_files(one.known.uri)[:PICTURES] if one.source else []
    pictures = [(f"/pictures/shelf/{one.known.key}/{quote(f.name)}", captions.get(f.stem, f.stem)) for f in previews]
    if not pictures and found:
        pictures = [
            (html.RUN + "/".join(map(quote, (found.run, file.parent.name, file.name))), text)
            for text, _, file in found.pictures[:PICTURES]
        ]
    if not pictures:
        return Markup('<p class="quiet">{}</p>').format(t(lang, "no_previews"))
    inner = Markup("").join(html.figure(src, f"{one.known.name}: {text}", text) for src, text in pictures)
    return Markup('<div class="strip three">{}</div>').format(inner)


def _contents(lang: Lang, source: Source) -> str:
    """What a source is, and what of it cannot be used."""
    sentences = [describe_source(lang, source), *(note.text(lang) for note in source_notes(source))]
    sentences += [
        worded(lang, Phrase("{source} {problem}.", source=source.name, problem=problem))
        for part in source.components
        if (problem := source.problem(part))
    ]
    return " ".join(sentences)


def _facts(lang: Lang, source: Source, speakers: Sequence[str]) -> Markup:
    unet = source.components["unet"]
    digest = (
        Markup('<code class="hash" tabindex="0" title="{0}">{0}</code>').format(unet.sha256)
        if unet.is_hashed
        else t(lang, "hash_unknown")
    )
    languages = [t(lang, f"language_{code}") if code in LANGUAGES else code for code in source.languages]
    papers = source_licences(source)
    licences = Markup("<br>").join(
        Markup("{}{}: {}").format(
            f"{entry.name}: " if len(papers) > 1 else "",
            entry.licence or t(lang, "licence_unknown"),
            entry.duty(lang) or t(lang, "read_it"),
        )
        for entry in papers
    )
    permitted = Markup("<br>").join(
        Markup("{}{} ({}: {})").format(
            f"{entry.name}: " if len(papers) > 1 else "",
            " · ".join(f"{head} {answer}" for head, answer in ledger.by_column(lang, entry.permissions)),
            t(lang, "known_from"),
            t(lang, f"basis_{entry.basis}"),
        )
        for entry in papers
    )
    rows = [
        (t(lang, "source_holds"), _contents(lang, source)),
        (t(lang, "architecture"), f"{source.architecture.name}, {format_bytes(source.size)}"),
        (t(lang, "prediction"), source.architecture.prediction),
        (t(lang, "licence"), licences),
        (t(lang, "permissions"), permitted),
        (t(lang, "languages"), ", ".join(languages) or t(lang, "language_unknown")),
        (t(lang, "tokenizer"), _tokenizer(lang, source, speakers)),
        (t(lang, "hash"), digest),
    ]
    return Markup('<dl class="facts">{}</dl>').format(
        Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*row) for row in rows)
    )


def _tokenizer(lang: Lang, source: Source, speakers: Sequence[str]) -> str:
    """Whose tokenizer it shares: only then text encoders can be merged."""
    if "tokenizer" not in source.contents.tokenizers:
        return t(lang, "tokenizer_none")
    others = [name for name in speakers if name != source.name]
    return t(lang, "tokenizer_shared", names=", ".join(others)) if others else t(lang, "tokenizer_own")


def _tokenizers(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """By uri, the names of the sources with the same tokenizer."""
    vocabularies = {
        one.known.uri: one.source.vocabulary_sha256("tokenizer")
        for one in entries
        if one.source and "tokenizer" in one.source.contents.tokenizers
    }
    return {
        uri: [other.known.name for other in entries if vocabularies.get(other.known.uri) == vocabulary]
        for uri, vocabulary in vocabularies.items()
    }


def _scores(lang: Lang, uri: str, own: SourceStrengths | None, found: Mapping[str, SourceStrengths]) -> Markup:
    """A table of mean scores, categories by languages; the best of the sources measured beside it is marked."""
    if own is None:
        return Markup('<p class="quiet">{}</p>').format(t(lang, "strengths_empty"))
    best: dict[Language, list[str]] = {language: best_categories(found, uri, language) for language in own.scores}
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            category_label(lang, category),
            Markup("").join(
                Markup("<td><b>{} ★</b></td>" if category in best[language] else "<td>{}</td>").format(
                    format_score(own.scores[language].get(category))
                )
                for language in own.scores
            ),
        )
        for category in next(iter(own.scores.values()))
    )
    tops = Markup("").join(
        Markup('<th scope="col">{}</th>').format(t(lang, f"kind_{language}")) for language in own.scores
    )
    good = ", ".join(category_label(lang, name) for name in best.get("ja", ()))
    summary = t(lang, "good_at", categories=good) if good else t(lang, "strengths_table")
    note = t(lang, f"measured_in_{own.measured_in}", run=own.run, scorer=own.scorer, n=own.prompts)
    return Markup(
        '<table class="scores"><caption>{}</caption><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table>'
        '<p class="quiet">{}</p>'
    ).format(summary, tops, lines, note)
