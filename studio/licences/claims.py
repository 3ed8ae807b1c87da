"""What Civitai claims of a model, in the columns of a licence. A licence wins over a claim.

Many flags are what the form had ticked already. So they fill in what no licence says, and a claim that merges must keep
other permissions is a condition to be read, and keeps nothing from being exported.
"""

from __future__ import annotations

from dataclasses import replace

from pipelines.checkpoints.civitai import CivitaiClaims

from .catalogue import LICENCES, Licence
from .permissions import COLUMNS, UNKNOWN_PERMISSIONS, Permission, Permissions

_SELLING = {"Image", "Rent", "Sell"}  # what Civitai lets an author tick; RentCivit is a part of Rent
_SERVING = {"Image", "Rent"}


def base_model_terms(claimed: CivitaiClaims | None) -> tuple[str, ...]:
    """Return the licence of the base model that Civitai names; nothing where it names none that is known here."""
    base = (claimed.base_model or "").lower() if claimed else ""
    return tuple(row.name for row in LICENCES if base in row.civitai_bases)


def has_flags(claimed: CivitaiClaims | None) -> bool:
    """Whether Civitai says anything of what is permitted."""
    return claimed is not None and claimed_permissions(claimed) != UNKNOWN_PERMISSIONS


def claimed_permissions(claimed: CivitaiClaims) -> Permissions:
    """Return Civitai's flags in the columns of a licence."""
    return Permissions(
        use="unknown",
        commercial_use=_sold(claimed, _SELLING),
        without_credit=_flag(claimed.no_credit, "forbidden"),
        sharing_merges=_flag(claimed.derivatives, "forbidden"),
        other_terms=_flag(claimed.different_licence, "condition"),
        pictures_and_service=_sold(claimed, _SERVING),
    )


def filled_in(licence: Licence, claimed: CivitaiClaims | None) -> Licence:
    """Return a licence with what it does not say filled in from the claims."""
    if claimed is None:
        return licence
    claim = claimed_permissions(claimed)
    values = {column: getattr(licence.permissions, column) for column in COLUMNS}
    filled = {column: getattr(claim, column) if value == "unknown" else value for column, value in values.items()}
    if filled == values:
        return licence
    non_commercial = filled["commercial_use"] == "forbidden"
    return replace(
        licence,
        name=licence.name or "Civitai",
        permissions=Permissions(**filled),
        passes_on=licence.passes_on | ({"non_commercial"} if non_commercial else set()),
    )


def _flag(value: bool | None, denied: Permission) -> Permission:
    return "unknown" if value is None else "allowed" if value else denied


def _sold(claimed: CivitaiClaims, wanted: set[str]) -> Permission:
    if claimed.commercial_use is None:
        return "unknown"
    if not claimed.commercial_use:
        return "forbidden"
    return "allowed" if wanted <= claimed.commercial_use else "condition"
