"""What licences ask and permit, as the Export page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from studio.exporting.recipe_package import RecipePackage
from studio.i18n import Lang, t
from studio.licences.inheritance import licence_warnings
from studio.licences.ledger import LicenceLedger

from .wish import Planned, export_plan_of


@dataclass(frozen=True)
class Terms:
    """What the licences of an individual's sources ask for.

    Attributes:
        rows: a row a source: name, licence, what it gives, what its licence asks.
        permissions: a row a source and one for the whole: name, six columns, from what that is known.
        warnings: what must be read before going on.
        clashes: what stands against writing the weights.
        lacking: sources whose licence wants an author named, and nobody says who that is.
        credit: whose work it is.
    """

    rows: list[list[str]]
    permissions: list[list[str]]
    warnings: list[str]
    clashes: list[str]
    lacking: list[str]
    credit: str


def terms(lang: Lang, planned: Planned) -> Terms:
    """Gather licences by source, what they permit, what must be read before going on, and whose work it is."""
    planned_export = export_plan_of(planned)
    entries = planned_export.inherited
    rows = [
        [
            entry.name,
            entry.licence or t(lang, "licence_unknown"),
            ", ".join(entry.parts),
            entry.duty(lang) or t(lang, "read_it"),
        ]
        for entry in entries
    ]
    ledger = LicenceLedger(entries, planned_export.clashes)
    return Terms(
        rows,
        ledger.table(lang),
        licence_warnings(entries, lang),
        ledger.sentences(lang),
        [entry.name for entry in entries if entry.lacks_author],
        planned_export.content.attribution,
    )


def told(lang: Lang, found: Terms) -> Markup:
    """What stands against the export, whose author is to be named, and that none of it is advice."""
    clashes = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in found.clashes)
    barred = Markup('<div role="alert"><p>{}</p><ul>{}</ul></div>').format(t(lang, "barred"), clashes)
    lacking = t(lang, "author_lacking", names=", ".join(found.lacking)) if found.lacking else ""
    return Markup("{}<p>{}</p><p>{}</p>").format(barred if clashes else "", lacking, t(lang, "no_advice"))


def is_barred(planned: Planned) -> bool:
    """Whether licences stand against writing the weights, and nobody stated why it may be done."""
    if isinstance(planned, RecipePackage):
        return False
    weights = export_plan_of(planned)
    return bool(planned.clashes) and weights.plan.recipe.licence_statement is None
