"""A run as one JSON object: what `--json` prints and the pages read."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.evolution.calibration import Calibration, calibration
from studio.evolution.racing import RacingRecord

from .config import RunConfig
from .individual import Individual, ScoreKind
from .state import Pace, RunState
from .status import current_status
from .store import RunStore

RECENT = 20  # evaluations whose mean length tells the time left
# A run is stuck where nothing comes for so many times the longest of its recent evaluations, and for so long at least:
# loading what it needs is no evaluation. Of the first of its kind nobody knows how long it takes.
STUCK_TIMES, STUCK_SECONDS, FIRST_SECONDS = 10, 300.0, 7200.0


def status(store: RunStore) -> dict[str, Any]:
    """Tell where a run stands, without reading a recipe: pages ask for it every other second.

    Returns:
        `status` (new, queued, running, reporting, stopped, interrupted, done, failed), runs `before` this one in the
        queue, `done` and `of` in offspring, `seconds_left` (None where unknown), `report_rows` (done and in all, while
        reporting), for how many seconds it is `stuck` (see `stuck_for`), `error`, the captions the scorer cuts short as
        `truncated`, what it went on with though it had changed as `accepted` (see `RunState.accepted`), what people ask
        the next children to be steered by as `steer`, and what children were `steered` by, from the number `first` on;
        where it has workers, what these are about as `pool`, how many are wanted, and what their devices scored of the
        same prompts as `kinds` (see `RunState`).
    """
    state, pace = store.state, store.pace(RECENT)
    now = current_status(store, state)
    left = store.config.evaluations - pace.offspring
    recent = sum(pace.seconds) / len(pace.seconds) if pace.seconds else None
    return {
        "status": now,
        "done": pace.offspring,
        "of": store.config.evaluations,
        "seconds_left": left * recent if recent is not None and now == "running" else None,
        "stuck": stuck_for(store.config, state, pace, now),
        "report_rows": list(state.report_rows) if now == "reporting" else None,
        "before": state.before,
        "error": state.error,
        "accepted": state.accepted,
        "truncated": state.truncated,
        "steer": state.steer.model_dump() if state.steer else None,
        "steered": [one.model_dump() for one in state.steered],
        **_workers_json(state, going=now == "running"),
    }


def stuck_for(config: RunConfig, state: RunState, pace: Pace, now: str) -> float | None:
    """Return for how many seconds nothing came of a run; `None` where that is as usual, or where it does not go on.

    Where noise changes, everyone alive is scored again before the next child, and that is as usual too.

    Args:
        config: of the run.
        state: of the run.
        pace: of the run.
        now: its status (`current_status`).
    """
    if now not in ("running", "reporting") or state.began is None:
        return None
    times = STUCK_TIMES
    if now == "reporting":
        last, slowest = state.report_last or pace.last, state.report_slowest
    else:
        times += config.archive if config.noise_rotation else 0
        last, slowest = pace.last, max(pace.seconds, default=pace.slowest_source)
    since = time.time() - max(state.began, last or 0.0)
    usual = FIRST_SECONDS if slowest is None else max(STUCK_SECONDS, times * slowest)
    return since if since > usual else None


def _workers_json(state: RunState, *, going: bool) -> dict[str, Any]:
    """What is known of a run's workers; of one that does not go on, what they did, without who they were."""
    if state.pool is None:
        return {}
    pool = state.pool if going else state.pool.model_copy(update={"workers": (), "missing": 0})
    kinds = state.kinds and state.kinds.model_dump()
    return {"pool": pool.model_dump(), "workers_wanted": state.workers_wanted, "kinds": kinds}


def individual_json(individual: Individual) -> dict[str, Any]:
    """An individual with its recipe, mean scores, and the mean weight of each source per chromosome."""
    return {
        "id": individual.id,
        "parents": None if individual.is_source else [individual.mother, individual.father],
        "alive": individual.alive,
        "scores": {kind: individual.mean(kind) for kind in kinds(individual)},
        "shares": individual.recipe.shares,
        "recipe": individual.recipe.model_dump(mode="json", exclude_none=True),
        "error": individual.error,
    }


def kinds(individual: Individual) -> tuple[ScoreKind, ...]:
    """The scores an individual is shown with; what votes make of it only where votes steer the run."""
    always: tuple[ScoreKind, ...] = ("ja", "en", "consistency")
    return (*always, "votes") if "votes" in individual.scores else always


def run_json(store: RunStore) -> dict[str, Any]:
    """The run, everyone ever evaluated in it, and the held-out results where they are done."""
    everyone, state = store.individuals(), store.state
    return {
        "run": str(store.folder),
        **status(store),
        "evaluations": sum(not individual.is_source for individual in everyone),
        "pictures_spared": pictures_spared(everyone),
        **calibration_json(everyone, store.config.competing),
        **racing_json(everyone),
        "individuals": [individual_json(individual) for individual in everyone],
        "results": state.results,
        "realism": state.realism,
        "as_shipped": state.as_shipped,
        "comparisons": state.comparisons,
        "child": state.child,
        "failed_rows": state.failed_rows,
        "scorer": state.scorer,
        "reporter": state.reporter,
    }


def pictures_spared(individuals: Sequence[Individual]) -> int:
    """Pictures that early rejection or racing left undrawn."""
    return sum(one.partial.spared for one in individuals if one.partial)


def calibration_of(individuals: Sequence[Individual], kinds: Sequence[str]) -> Calibration | None:
    """How what a search expected of its offspring compares with what was found; None where it expected nothing.

    Args:
        individuals: of a run.
        kinds: of scores that compete in it.
    """
    if all(one.prediction is None for one in individuals):  # as in most runs, and pages ask with every look
        return None
    foreseen: list[tuple[np.ndarray, ...]] = []
    total, count = np.zeros(()), 0
    for one in individuals:
        if (found := one.competing(kinds)) is None:
            continue
        if (expected := one.prediction) is not None and count:
            foreseen.append((expected.mean, expected.deviation, found, total / count))
        total, count = total + found, count + 1
    return calibration(*map(np.stack, zip(*foreseen, strict=True))) if foreseen else None


def calibration_json(individuals: Sequence[Individual], kinds: Sequence[str]) -> dict[str, Any]:
    """The same as `foresight` of a run's JSON; empty where nothing was foreseen."""
    found = calibration_of(individuals, kinds)
    return {"foresight": dataclasses.asdict(found)} if found else {}


def racing_of(individuals: Sequence[Individual]) -> RacingRecord | None:
    """What racing has spared in a run, and missed; None where nobody was given up, or would have been."""
    raced = [(one, one.race) for one in individuals if one.race is not None]
    if not raced:
        return None
    to_the_end = [one for one, _ in raced if one.partial is None]
    return RacingRecord(
        given_up=len(raced) - len(to_the_end),
        spared=sum(one.partial.spared for one, _ in raced if one.partial),
        audited=len(to_the_end),
        missed=sum(one.entered for one in to_the_end),
        chance=float(np.mean([end.chance for _, end in raced])),
    )


def racing_json(individuals: Sequence[Individual]) -> dict[str, Any]:
    """The same as `racing` of a run's JSON; empty where nobody was given up."""
    found = racing_of(individuals)
    return {"racing": dataclasses.asdict(found)} if found else {}
