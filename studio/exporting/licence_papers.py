"""What a card and a notice say of licences: whose work a merge is, what its licences ask and permit, what was stated.

None of it is legal advice, and the card and the notice say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.exporting.provenance import portable_uri
from pipelines.weaving.plan import Plan
from studio.i18n import t, words
from studio.licences import ledger
from studio.licences.inheritance import InheritedLicence, has_licence_text, licence_warnings
from studio.markdown import link_target, markdown_text

from .card_content import CardContent

HUB = "https://huggingface.co"


def licence_notice(plan: Plan, content: CardContent, entries: list[InheritedLicence]) -> str:
    """Write `LICENSE.md`: whose work a merge is, under which terms, and that it was changed."""
    lines = [
        f"# Licences of {markdown_text(content.title)}",
        "",
        "The weights of this checkpoint are a merge: the sources below were changed by weighted sums of their weights. "
        "It may be used and passed on only as all of their licences allow together.",
        "",
        *warning_lines(entries),
        *statement_lines(plan),
        *licence_table(plan, entries),
        "",
        *permission_table(entries),
        "",
        *attribution_lines(content),
    ]
    return "\n".join(lines)


def licence_table(plan: Plan, entries: Iterable[InheritedLicence]) -> list[str]:
    """Write sources, licences and duties as a Markdown table, and say which texts are missing."""
    names = {source.name: source for source in plan.recipe.sources}
    rows = ["| source | licence | gives | what the licence asks |", "| --- | --- | --- | --- |"]
    for entry in entries:
        digest = names[entry.name].sha256.get("unet") if entry.name in names else None
        short = f" (`{digest[:16]}`)" if digest else ""
        gives = ", ".join(_part(plan, entry.name, part) for part in entry.parts)
        cells = map(markdown_text, (entry.licence or "not stated", gives, entry.duty("en") or _read_it()))
        rows.append("| " + " | ".join([f"{_place(plan, entry)}{short}", *cells]) + " |")
    missing = [entry.name for entry in entries if not has_licence_text(entry)]
    texts = "In brackets: the beginning of the sha256 of its UNet's tensors. Licence texts are in `licences`"
    return [*rows, "", texts + (f"; none came with {', '.join(map(markdown_text, missing))}." if missing else ".")]


def permission_table(entries: Sequence[InheritedLicence]) -> list[str]:
    """Write what each source and the whole permit, in the six columns of the trade, as a Markdown table."""
    heads = ledger.headers("en")
    rows = [map(markdown_text, row) for row in (heads, *ledger.LicenceLedger(entries, ()).table("en"))]
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return [head, "| " + " | ".join(["---"] * len(heads)) + " |", *body, "", t("en", "no_advice")]


def statement_lines(plan: Plan) -> list[str]:
    """Write what a person stated of licences that stand against publishing, in Markdown; nothing where none did."""
    statement = plan.recipe.licence_statement
    if statement is None:
        return []
    about = [f"> - {markdown_text(sentence)}" for sentence in statement.about]
    who, reason = markdown_text(statement.who), markdown_text(statement.reason)
    said = f"{who} stated on {statement.when:%Y-%m-%d %H:%M %Z}: {reason}"
    return ["> **Licences stand against publishing these weights.**", ">", *about, ">", f"> {said.rstrip()}", ""]


def warning_lines(entries: Iterable[InheritedLicence]) -> list[str]:
    """Write what should be read before anything is published, in Markdown."""
    sentences = licence_warnings(entries, "en")
    return [f"> **Read before you publish.** {markdown_text('; '.join(sentences))}.", ""] if sentences else []


def attribution_lines(content: CardContent) -> list[str]:
    """Write whose work it is, as a section in Markdown."""
    return ["## Attribution", "", content.attribution.strip(), ""] if content.attribution.strip() else []


def _part(plan: Plan, name: str, part: str) -> str:
    """A part that a source gives, and how much of it."""
    shares = plan.recipe.shares
    return f"{part} {shares[part][name]:.0%}" if part in shares and name in shares[part] else part


def _place(plan: Plan, entry: InheritedLicence) -> str:
    if entry.origin.repo:
        return f"[{markdown_text(entry.name)}]({HUB}/{link_target(entry.origin.repo)})"
    source = plan.sources.get(entry.name)
    place = portable_uri(source) if source else entry.origin.path.name
    return markdown_text(entry.name if place == entry.name else f"{entry.name}: {place}")


def _read_it() -> str:
    return words("en")["read_it"]
