"""Numbers as people read them, in either language: scores, lengths of time, and what a report comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .i18n import Lang, t


def format_score(value: float | None) -> str:
    """Format a score as pages print it; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def format_duration(lang: Lang, seconds: float) -> str:
    """Format seconds as people say a length of time."""
    if seconds < 90:
        return t(lang, "seconds", n=max(1, round(seconds)))
    if seconds < 5400:
        return t(lang, "minutes", n=round(seconds / 60))
    return t(lang, "hours", n=f"{seconds / 3600:.1f}")


def ordinal(lang: Lang, number: int) -> str:
    """Format a place in a line: 1st, 2nd, 11th; 1 番目."""
    if lang == "ja":
        return f"{number} 番目"
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def report_verdict(lang: Lang, compared: Mapping[str, Any]) -> str:
    """Say the report in a sentence: the child against the best source, and whether that is more than chance."""
    if "child_minus_best_source" not in compared:
        return t(lang, "verdict_no_child")
    difference = compared["child_minus_best_source"]["ja"]
    sure = difference["low"] > 0 or difference["high"] < 0
    key = "verdict_unsure" if not sure else "verdict_better" if difference["mean"] > 0 else "verdict_worse"
    return t(lang, key, source=compared["best_source"], **_with_signs(difference))


def average_verdict(lang: Lang, compared: Mapping[str, Any]) -> str:
    """Say the report in a sentence: the child against the plain average; nothing where that was not compared."""
    difference = compared.get("child_minus_average")
    return t(lang, "verdict_average", **_with_signs(difference["ja"])) if difference else ""


def _with_signs(difference: Mapping[str, float]) -> dict[str, str]:
    """Format a difference and its interval."""
    return {part: f"{difference[part]:+z.3f}" for part in ("mean", "low", "high")}


def format_bytes(number: float) -> str:
    """Format a number of bytes as people read it."""
    if number < 1e5:
        return f"{number / 1e3:.0f} kB"
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
