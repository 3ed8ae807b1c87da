"""How soon a search is as good as another one."""

from __future__ import annotations

from collections.abc import Sequence


def evaluations_to(curve: Sequence[float], level: float) -> int | None:
    """After how many evaluations a curve is at a level; None where it never is."""
    return next((made for made, score in enumerate(curve, start=1) if score >= level), None)
