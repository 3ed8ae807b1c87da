"""How chosen sources go together, as the Sources page shows it: tables of angles and distances, shaded by size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from pipelines.checkpoints.source_uri import default_name, is_at_hand, open_source_uri
from pipelines.recipes.compatibility import gram_matrices, source_angles, task_angles, task_distances
from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict
from studio.errors import RunError
from studio.i18n import Lang, chromosome_label, phrase, t
from studio.ui.common.field_errors import at_field

Tell = Callable[[float, str], None]  # told the share that is done, 0..1, and what is being done


@dataclass(frozen=True)
class Measured:
    """How chosen sources go together: inner products, float64 [K, K] by chromosome, and what must not be mixed."""

    names: list[str]
    products: dict[str, np.ndarray]
    text_encoders: str | None  # why they cannot be merged

    @property
    def central(self) -> str:
        """The source nearest to all others: most likely what they all came from."""
        apart = sum(task_distances(products, 0) for products in self.products.values())
        return self.names[int(np.argmin(np.sum(apart, axis=0)))]


@at_field("choose")
def measure(uris: Sequence[str], lang: Lang, tell: Tell) -> Measured:
    """Read the chosen sources against each other.

    Raises:
        M2N2Error: fewer than two, or they cannot be merged with each other.
    """
    if len(uris) < 2:
        raise RunError(phrase("choose_two"))
    away = [default_name(uri) for uri in uris if not is_at_hand(uri)]
    if away:
        raise RunError(phrase("fetch_first", names=", ".join(away)))
    sources = [open_source_uri(uri) for uri in uris]
    check_mergeable(sources)
    products = gram_matrices(sources, lambda share: tell(share, t(lang, "measuring")))
    return Measured([source.name for source in sources], products, text_encoder_conflict(sources))


def heat_maps(lang: Lang, found: Measured, base: str) -> Markup:
    """Per chromosome: angles between the sources, distances and angles of what each changed of the base."""
    row = found.names.index(base) if base in found.names else 0
    kinds = (
        ("heat_angles", lambda products: source_angles(products), "°", None),
        ("heat_distances", lambda products: task_distances(products, row), "", None),
        ("heat_task_angles", lambda products: task_angles(products, row), "°", 180.0),
    )
    blocks = [
        Markup('<section><h4>{}</h4><div class="heats">{}</div></section>').format(
            chromosome_label(lang, chromosome),
            Markup("").join(
                heat_table(t(lang, key, base=found.names[row]), found.names, values(products), unit=unit, far=far)
                for key, values, unit, far in kinds
            ),
        )
        for chromosome, products in found.products.items()
    ]
    encoders = found.text_encoders
    said = t(lang, "encoders_host", reason=encoders) if encoders else t(lang, "encoders_merge")
    return Markup('<p class="quiet">{}</p>{}<p>{}</p>').format(
        t(lang, "heat_legend", base=found.names[row]), Markup("").join(blocks), said
    )


def heat_table(title: str, names: Sequence[str], values: np.ndarray, *, unit: str, far: float | None = None) -> Markup:
    """A matrix as a table whose cells are the darker, the larger their number; NaN is a dash.

    Args:
        title: what the numbers are.
        names: of rows and columns.
        values: float64 [K, K].
        unit: printed after each number.
        far: the number that is darkest; the largest there is if left out.
    """
    largest = far or float(np.nanmax(values, initial=0.0)) or 1.0
    digits = 1 if unit == "°" else 3
    tops = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in names)
    lines = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name,
            Markup("").join(
                Markup("<td>–</td>")
                if np.isnan(value)
                else Markup('<td style="--shade:{:.2f}">{:.{}f}{}</td>').format(
                    min(1.0, value / largest), value, digits, unit
                )
                for value in row
            ),
        )
        for name, row in zip(names, values, strict=True)
    )
    return Markup(
        '<div class="heat" tabindex="0" role="region" aria-label="{0}"><table><caption>{0}</caption>'
        "<thead><tr><td></td>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(title, tops, lines)
