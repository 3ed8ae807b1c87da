"""How well a run foresaw scores, in words."""

from __future__ import annotations

from studio.evolution.calibration import INTERVAL, Calibration
from studio.i18n import Lang, t


def foresight_words(lang: Lang, found: Calibration) -> str:
    """Say in a sentence how what a run expected of its offspring compares with what was found."""
    r2 = "–" if found.r2 is None else f"{found.r2:.2f}"
    return t(
        lang, "foresight_found", n=found.individuals, r2=r2, share=f"{found.coverage:.0%}", meant=f"{INTERVAL:.0%}"
    )
