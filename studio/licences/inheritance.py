"""Licences, and what a merge inherits: whose weights are in it, under which terms, and the texts that go along.

What is said here about a licence is a reminder of what to look for in its text, and no advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipelines.architectures.keys import SDXL_UNET
from pipelines.checkpoints.sources import Source
from pipelines.exporting.export import about_folder
from pipelines.exporting.provenance import Origin, source_origins
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import lies_in
from studio.i18n import Lang, words
from studio.markdown import markdown_text

from . import claims
from .catalogue import KNOWN_LICENCES, Licence, Restriction
from .combination import Clash, LicensedModel, find_clashes
from .names import hub_name, known_or_guessed, licence_of_model
from .permissions import Permissions, strictest

LicenceWarning = Literal["unknown"] | Restriction
#: Where it is known from what a licence permits: a card, a file's header, the recipe, the model that Civitai names as
#: the base, the flags there, or nowhere.
Basis = Literal["card", "header", "recipe", "base_model", "civitai", "nowhere"]

_LENT = ("text_encoder", "text_encoder_2", "vae", "tokenizer", "tokenizer_2", "scheduler")
_JOINED = " AND "  # of several licences that all hold, as SPDX writes it
_TEXT = re.compile(r"(licen[sc]es?|notice|copying)([.-].*)?", re.IGNORECASE)
_LONGEST = 1 << 20  # bytes; what is longer is no text that a person reads
_TEXTS = "licences"  # folder of the texts in an export, and so in sources that are exports themselves


@dataclass(frozen=True)
class InheritedLicence:
    """One source's part in a merge, or that of a LoRA in it; `parts` says what it gives."""

    name: str
    origin: Origin
    licence: str | None
    parts: tuple[str, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Its licences as the hub writes them: one, or those of a merge; none where it states none.

        A model that is known to ask for more than the licence it names has that in its place, and one that names none
        has that of the base model which Civitai names.
        """
        model = self.origin.repo or self.name
        stated = [hub_name(one) for one in re.split(f"{_JOINED}|-and-", self.licence)] if self.licence else [""]
        held = [licence_of_model(one, model) for one in stated]
        return tuple(one for one in held if one) or claims.base_model_terms(self.origin.civitai)

    @property
    def basis(self) -> Basis:
        """Where it is known from what it permits."""
        if self.licence:
            return self.origin.licence_from or "recipe"
        if self.terms:
            return "base_model" if claims.base_model_terms(self.origin.civitai) == self.terms else "card"
        return "civitai" if claims.has_flags(self.origin.civitai) else "nowhere"

    @property
    def licences(self) -> tuple[Licence, ...]:
        """The rows of its licences, at least one; a claim on Civitai counts where a licence says nothing."""
        rows = [known_or_guessed(term) for term in self.terms or ("",)]
        return tuple(claims.filled_in(row, self.origin.civitai) for row in rows)

    @property
    def permissions(self) -> Permissions:
        """What all its licences together permit."""
        return strictest(row.permissions for row in self.licences)

    @property
    def asks_for_recipe(self) -> bool:
        """Whether who publishes a merge of it is to publish how it was made."""
        return any(row.asks_for_recipe for row in self.licences)

    @property
    def lacks_author(self) -> bool:
        """Whether its licence wants its author named, and nobody says who that is."""
        return self.permissions.without_credit == "forbidden" and self.origin.author is None

    def duty(self, lang: Lang) -> str | None:
        """What its licence asks, in a few words; `None` where the licence is not known here."""
        licences = [KNOWN_LICENCES[term] for term in self.terms if term in KNOWN_LICENCES]
        if not licences or len(licences) < len(self.terms):
            return None
        return "; ".join(dict.fromkeys(words(lang)[licence.duty_key] for licence in licences))

    @property
    def warning(self) -> LicenceWarning | None:
        """Why it should be read before anything is published, if it should."""
        forbidden = {row.forbids for row in self.licences}
        if "no_derivatives" in forbidden:
            return "no_derivatives"
        if "non_commercial" in forbidden:
            return "non_commercial"
        return None if self.terms and all(term in KNOWN_LICENCES for term in self.terms) else "unknown"


def inherited_licences(recipe: Recipe, sources: Mapping[str, Source]) -> list[InheritedLicence]:
    """List every source that gives weights or lends a component, with its licence, and the LoRAs in it after it.

    Args:
        recipe: the merge.
        sources: its opened sources.

    Raises:
        SourceError: a source's LoRA is gone.
    """
    entries = []
    for k, source in enumerate(recipe.sources):
        parts = [
            name
            for name, chromosome in recipe.chromosomes.items()
            if any(segment.weights[k] != 0 for segment in chromosome.segments)
        ]
        lent = _LENT if recipe.architecture == SDXL_UNET else ()
        parts += [part for part in lent if part not in recipe.merged_components and recipe.lender(part) == source.name]
        if parts:
            base, *loras = source_licences(sources[source.name])
            licence = base.licence or source.licence
            entries.append(replace(base, name=source.name, licence=licence, parts=tuple(dict.fromkeys(parts))))
            entries += loras
    return entries


def licence_clashes(entries: Iterable[InheritedLicence], *, changed: bool = True) -> list[Clash]:
    """Find what keeps a merge of these from being published; `changed` as in `find_clashes`."""
    return find_clashes([LicensedModel(entry.name, entry.licences) for entry in entries], changed=changed)


def recipe_clashes(recipe: Recipe, entries: Iterable[InheritedLicence]) -> list[Clash]:
    """Find what keeps the weights of a recipe from being published.

    Args:
        recipe: the merge.
        entries: what it inherits.
    """
    listed = list(entries)
    weights = {weight for part in recipe.chromosomes.values() for one in part.segments for weight in one.weights}
    return licence_clashes(listed, changed=len(listed) > 1 or not weights <= {0.0, 1.0})


def source_licences(source: Source) -> list[InheritedLicence]:
    """List a source's own licence, then those of the LoRAs on it.

    Raises:
        SourceError: a LoRA is gone.
    """
    base, *loras = source_origins(source)
    return [
        InheritedLicence(source.name, base, base.licence, ()),
        *(InheritedLicence(f"{source.name} + {lora.name}", lora, lora.licence, ("lora",)) for lora in loras),
    ]


def all_terms(entries: Iterable[InheritedLicence]) -> list[str]:
    """List the licences that hold for the whole, as the hub writes them; `unknown` stands for those not stated."""
    return list(dict.fromkeys(term for entry in entries for term in entry.terms or ("unknown",)))


def common_licence(entries: Iterable[InheritedLicence]) -> str:
    """Return the licence of the whole as a model card names it: the shared one where the hub knows it, or `other`."""
    terms = all_terms(entries)
    return terms[0] if len(terms) == 1 and terms[0] in KNOWN_LICENCES and KNOWN_LICENCES[terms[0]].on_hub else "other"


def joint_licence(entries: Iterable[InheritedLicence]) -> str:
    """Join the licences of the whole in one expression, for a file's header: `apache-2.0 AND openrail++`."""
    return _JOINED.join(all_terms(entries))


def licence_warnings(entries: Iterable[InheritedLicence], lang: Lang) -> list[str]:
    """Write a sentence for each source that should be read about before anything is published."""
    phrases = words(lang)
    return [f"{entry.name}: {phrases[f'warning_{entry.warning}']}" for entry in entries if entry.warning]


def credit_lines(entries: Iterable[InheritedLicence]) -> list[str]:
    """Credit each source, its author and licence, in a sentence as attribution asks for; Markdown, in English.

    Authors are known of what comes from the hub, and where a card or a header names them; others are for a person to
    fill in.
    """
    sentences = []
    for entry in entries:
        author = f" by {markdown_text(entry.origin.author)}" if entry.origin.author else ""
        terms = [_linked(term) for term in entry.terms]
        licence = f"licensed under {' and '.join(terms)}" if terms else "licence not stated"
        sentences.append(
            f"{markdown_text(entry.name)}{author}, {licence}; changed: merged with others by weighted sums."
        )
    return sentences


def licence_texts(entries: Iterable[InheritedLicence]) -> dict[str, bytes]:
    """Collect the licence files and cards that go along with an export, as file name to content.

    A folder's own go along, and those beside a single file that bear its name: `NAME.LICENSE`, or what its export left
    in `NAME.about`. Nothing is taken from files that merely lie in the same folder. What an export gathered from its
    own sources is passed on. Links that lead out of a source's folder are not followed.
    """
    texts = {}
    for entry in entries:
        for name, file in _papers(entry.origin):
            texts[f"{_TEXTS}/{_folder(entry.name)}/{name}"] = file.read_bytes()
    return texts


def has_licence_text(entry: InheritedLicence) -> bool:
    """Whether a licence text, and not a card alone, comes with a source."""
    return any(_TEXT.match(Path(name).name) for name, _ in _papers(entry.origin))


def _linked(name: str) -> str:
    """Write a licence's name in Markdown, as a link where its text is known to stand somewhere."""
    link = KNOWN_LICENCES[name].link if name in KNOWN_LICENCES else None
    return f"[{markdown_text(name)}]({link})" if link else markdown_text(name)


def _papers(origin: Origin) -> Iterator[tuple[str, Path]]:
    """Find licence texts and cards of a source, by the name they have beside it."""
    home = origin.home or about_folder(origin.path)
    in_home = {file.name: file for file in home.glob("*") if _TEXT.fullmatch(file.name) or file.name == "README.md"}
    in_home |= {file.relative_to(home).as_posix(): file for file in (home / _TEXTS).rglob("*")}
    papers = {name: file for name, file in in_home.items() if lies_in(file, home)}
    if origin.home is None:
        beside = {file.name.removeprefix(f"{origin.path.stem}."): file for file in origin.path.parent.iterdir()}
        named = {name: file for name, file in beside.items() if name != file.name and _TEXT.fullmatch(name)}
        papers |= {name: file for name, file in named.items() if lies_in(file, file.parent)}
    for name, file in sorted(papers.items()):
        if file.stat().st_size <= _LONGEST:
            yield name, file


def _folder(name: str) -> str:
    """Turn a source's name into a folder's: recipes come from anybody, and may call a source `../..`."""
    return re.sub(r"[^\w.+-]+", "_", name).lstrip(".") or "_"
