"""What people may do with a model, in the six columns in which the trade lists models, and what merges pass on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

Permission = Literal["allowed", "condition", "forbidden", "unknown"]
_FROM_LOOSE_TO_STRICT: tuple[Permission, ...] = ("allowed", "condition", "unknown", "forbidden")
#: What a merge must keep asking of people because one of its sources does.
PassedOnTerm = Literal["use_restrictions", "non_commercial", "revenue_limit", "commercial_agreement", "own_agreement"]


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """What people may do with a model, in the six columns in which the trade lists models.

    Attributes:
        use: draw with it, for oneself.
        commercial_use: use it in a business.
        without_credit: leave out whose work it is.
        sharing_merges: publish weights that it is merged into.
        other_terms: publish such merges under other terms than its own.
        pictures_and_service: sell pictures, or run a service that draws them.
    """

    use: Permission
    commercial_use: Permission
    without_credit: Permission
    sharing_merges: Permission
    other_terms: Permission
    pictures_and_service: Permission


COLUMNS = tuple(column.name for column in fields(Permissions))
UNKNOWN_PERMISSIONS = Permissions(
    use="unknown",
    commercial_use="unknown",
    without_credit="unknown",
    sharing_merges="unknown",
    other_terms="unknown",
    pictures_and_service="unknown",
)


def strictest(several: Iterable[Permissions]) -> Permissions:
    """Return what may be done with the whole: in each column what the strictest of its parts says.

    What is forbidden by one stays forbidden. What is not known of one is not known of the whole, unless another forbids
    it. Of no parts, nothing is known.
    """
    rows = list(several)
    if not rows:
        return UNKNOWN_PERMISSIONS
    return Permissions(
        **{column: max((getattr(row, column) for row in rows), key=_FROM_LOOSE_TO_STRICT.index) for column in COLUMNS}
    )
