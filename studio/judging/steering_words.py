"""What a run was and is steered by, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from studio.i18n import Lang, t
from studio.runs.state import Steered, Steering

GOING_ON = ("new", "queued", "running", "stopped", "interrupted", "failed")
SHOWN = 6  # models of a kind that are named


def can_be_steered(status: Mapping[str, Any]) -> bool:
    """Whether a run makes another child: from its status as `runs.summary.status` has it."""
    return status["status"] in GOING_ON and status["done"] < status["of"]


def steering_notes(lang: Lang, status: Mapping[str, Any]) -> list[str]:
    """Say what a run was and is steered by, in sentences; none where it never was.

    Args:
        lang: of the page.
        status: of the run, as `runs.summary.status` has it.
    """
    taken = [Steered.model_validate(one) for one in status["steered"]]
    notes = []
    for one, following in zip_longest(taken, taken[1:]):
        values = {"first": one.first, "who": _who(lang, one.favour), "by": _by(lang, one)}
        if one.favour and following is None:
            notes.append(t(lang, "steered_from", **values))
        elif one.favour:
            notes.append(t(lang, "steered_between", last=following.first - 1, **values))
    asked = Steering.model_validate(status["steer"]) if status["steer"] else None
    if asked and can_be_steered(status) and asked.favour != (taken[-1].favour if taken else {}):
        key = "steer_waits" if asked.favour else "steer_ends"
        notes.append(t(lang, key, who=_who(lang, asked.favour), by=_by(lang, asked)))
    return notes


def _by(lang: Lang, one: Steering) -> str:
    return t(lang, "steered_by", name=one.by) if one.by else ""


def _who(lang: Lang, favour: Mapping[str, float]) -> str:
    """Name those who mate more often, less often and never."""
    kinds = {
        "more": [(id, factor) for id, factor in favour.items() if factor > 1],
        "less": [(id, factor) for id, factor in favour.items() if 0 < factor < 1],
        "never": [(id, factor) for id, factor in favour.items() if not factor],
    }
    return t(lang, "steer_and").join(
        t(lang, f"steer_{kind}", models=_models(kind, models)) for kind, models in kinds.items() if models
    )


def _models(kind: str, models: Sequence[tuple[str, float]]) -> str:
    first = sorted(models, key=lambda one: -one[1] if kind == "more" else one[1])[:SHOWN]
    named = ", ".join(id if kind == "never" else f"{id} ×{factor:g}" for id, factor in first)
    return named + (f" … (+{len(models) - SHOWN})" if len(models) > SHOWN else "")
