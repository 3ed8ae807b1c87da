"""The page on licences: what each that is known permits, from its row, and what does not go together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from studio.i18n import Lang, t
from studio.licences import ledger
from studio.licences.catalogue import LICENCES, Licence
from studio.licences.combination import LicensedModel, find_clashes
from studio.licences.permissions import UNKNOWN_PERMISSIONS

from .phrases import NONE, beside, code, joined, made_from_the_program, say, table


def page(lang: Lang) -> str:
    """The whole page, as Markdown."""
    return joined(
        [
            made_from_the_program("licences", lang),
            f"# {say(lang, 'Licences')}",
            say(
                lang,
                "A merge is a changed version of its sources, so their licences hold for it. The studio says what to "
                "look for in them. It is no lawyer, and this is no legal advice: read the texts before you publish.",
            ),
            say(
                lang,
                "What binds is what carries weight in the recipe, or lends a part: a source of weight 0 does not, one "
                "that lends the VAE or a text encoder does. So do LoRAs. The Export page and `m2n2 sources licences` "
                "show it, the page “New run” and `m2n2 evolve` before a run, each export in its card and `LICENSE.md`. "
                "How to export: [exporting]({exporting}).",
                exporting=beside(lang, "exporting"),
            ),
            f"## {say(lang, 'What each licence permits')}",
            say(
                lang,
                "Six columns, as lists of models in the trade have them. “{condition}” is something to do or to keep; "
                "the table below says what. Of a licence that is not in the table, the studio knows what its name "
                "says (NC, ND, SA).",
                condition=t(lang, "permission_condition"),
            ),
            table(
                [t(lang, "licence"), *ledger.headers(lang)[1:-1]],
                [
                    *([_linked(row), *ledger.columns(lang, row.permissions)] for row in LICENCES),
                    [t(lang, "licence_unknown"), *ledger.columns(lang, UNKNOWN_PERMISSIONS)],
                ],
            ),
            f"## {say(lang, 'What each licence asks')}",
            table(
                [
                    t(lang, "licence"),
                    say(lang, "what it asks"),
                    say(lang, "a merge keeps asking for"),
                    say(lang, "such as"),
                ],
                [_asks(lang, row) for row in LICENCES],
            ),
            f"## {say(lang, 'What does not go together')}",
            say(
                lang,
                "Three things keep the weights of a merge from being exported: a licence that does not let changed "
                "versions be shared; two that each want the merge to bear themselves; and one that wants it with "
                "nothing added, beside one that adds something.",
            ),
            _pairs(lang),
            say(
                lang,
                "Such weights are written once a person states why they may be: permission of the author, say. On the "
                "Export page there is a field for it, on the command line `--licence-reason TEXT` and `--stated-by "
                "NAME`. Reason, name and time go into the recipe, the card, `LICENSE.md` and the birth certificate. "
                "Without them the command ends with exit code 1 and nothing is written. The recipe alone may always "
                "be exported: there are no weights in it.",
            ),
            say(
                lang,
                "A licence that is not stated, or not known, is warned of and stops nothing: nobody can say what it "
                "forbids, most files of the trade state none, and a gate that is always shut is opened without "
                "reading.",
            ),
            f"## {say(lang, 'Where it is known from')}",
            say(
                lang,
                "From the card, from the file's header, or from the recipe. NoobAI-XL names a well-known licence and "
                "asks for more on its card: it has a row of its own. For files of Civitai the studio reads what "
                "download tools leave beside them (`NAME.civitai.info`, `NAME.metadata.json`, `NAME.cm-info.json`): "
                "the author, the base model, whose licence then holds, and the author's flags. Flags are claims, "
                "often the form's defaults. They fill in what no licence says, never against one; “no derivatives” "
                "stops an export, and “same permissions” is a condition to read.",
            ),
            f"## {say(lang, 'Authors and recipes')}",
            say(
                lang,
                "Attribution names the author that the card (`author`), the hub, the header (`modelspec.author`) or "
                "Civitai names. Where a licence wants a name and nobody gives one, the Export page says so. Some "
                "licences ask whoever publishes a merge to publish how it was made: “{publish}” on the Export page "
                "writes the recipe as a zip, and uploads it if you name a repository. On the command line: `--out "
                "NAME.recipe.zip`, with `--push OWNER/NAME`.",
                publish=t(lang, "publish_recipe"),
            ),
        ]
    )


def _linked(row: Licence) -> str:
    name = code(row.name)
    return f"[{name}]({row.link})" if row.link else name


def _asks(lang: Lang, row: Licence) -> Sequence[str]:
    passed_on = ", ".join(t(lang, f"term_{term}") for term in sorted(row.passes_on))
    bears = say(lang, "its own licence") if row.merges_bear_it and row.forbids != "no_derivatives" else ""
    recipe = say(lang, "the recipe") if row.asks_for_recipe else ""
    kept = ", ".join(part for part in (bears, passed_on, recipe) if part)
    return [code(row.name), t(lang, row.duty_key), kept or NONE, ", ".join(row.examples) or NONE]


def _pairs(lang: Lang) -> str:
    """A row for each licence that clashes with another: with which, by what."""
    rows = []
    against: dict[str, list[str]] = {row.name: [] for row in LICENCES}
    for one, other in combinations([row for row in LICENCES if row.forbids != "no_derivatives"], 2):
        if find_clashes([LicensedModel("", (one,)), LicensedModel("", (other,))]):
            against[one.name].append(other.name)
            against[other.name].append(one.name)
    for row in LICENCES:
        others = (
            say(lang, "every other") if row.forbids == "no_derivatives" else ", ".join(map(code, against[row.name]))
        )
        rows.append([code(row.name), others or NONE])
    return table([t(lang, "licence"), say(lang, "does not go with")], rows)
