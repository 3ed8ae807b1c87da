"""How well a run foresaw scores, and what it spared by them, in words."""

from __future__ import annotations

from studio.evolution.calibration import INTERVAL, Calibration
from studio.evolution.racing import RacingRecord
from studio.i18n import Lang, t


def foresight_words(lang: Lang, found: Calibration) -> str:
    """Say in a sentence how what a run expected of its offspring compares with what was found."""
    r2 = "–" if found.r2 is None else f"{found.r2:.2f}"
    return t(
        lang, "foresight_found", n=found.individuals, r2=r2, share=f"{found.coverage:.0%}", meant=f"{INTERVAL:.0%}"
    )


def racing_words(lang: Lang, found: RacingRecord) -> str:
    """Say what racing has spared, and how many of those drawn to the end to see would have been missed."""
    said = t(lang, "racing_found", n=found.given_up, chance=f"{found.chance:.1%}", spared=found.spared)
    audited = t(lang, "racing_audited", n=found.audited, missed=found.missed) if found.audited else ""
    return f"{said} {audited}".strip()
