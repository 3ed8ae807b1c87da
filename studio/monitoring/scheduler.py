"""Monitor: measure exports again by hand or on a schedule, each in a process of its own that a page only watches.

exports/NAME.monitor/
    drift.jsonl     every measurement, see `measure`
    status.json     how the one that is going on stands, or how the last one ended
    schedule        daily or weekly; not there: by hand
    monitor.log     what the process said
"""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NotRequired, get_args

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pipelines.errors import ExportError, M2N2Error, Phrase
from pipelines.storage.files import write_whole
from pipelines.untrusted import UnreadableDocument, read_json, read_text
from studio.errors import RunError
from studio.exporting.registry import Export, list_exports
from studio.jobs.device_queue import acquire_device
from studio.jobs.process import Stopped, hold_lock, is_locked, spawn
from studio.runs.store import now

from .remeasure import Progress, Stage, journal, measure

logger = logging.getLogger(__name__)

Schedule = Literal["off", "daily", "weekly"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
_PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}
GOING_ON = ("starting", "queued", "running")  # states
LOOK_SECONDS = 300  # seconds between two looks at the schedules


class _Queued(TypedDict):
    state: Literal["starting", "queued", "done", "stopped", "failed"]
    started: float
    before: NotRequired[int]
    error: NotRequired[str]


class _Running(TypedDict):
    state: Literal["running"]
    stage: Stage
    done: int
    of: int
    began: float
    started: float


_STATUS: TypeAdapter[Any] = TypeAdapter(_Queued | _Running)  # what `status.json` may hold


def carry_out_measurement(export: Export, progress: Progress | None = None) -> dict[str, Any]:
    """Measure an export as soon as a device is free, with how it stands left in its monitor folder; returns the event.

    Raises:
        RunError: another process measures it now.
        Stopped: somebody asked to stop.
        M2N2Error: it cannot be measured; the reason is in the folder too.
    """
    export.monitor.mkdir(parents=True, exist_ok=True)
    started = time.time()
    began: dict[str, float] = {}  # stages

    def on_progress(stage: Stage, done: int, of: int) -> None:
        if (export.monitor / "stop").exists():
            raise Stopped
        at = began.setdefault(stage, time.time())
        _put(export, state="running", stage=stage, done=done, of=of, began=at, started=started)
        if progress:
            progress(stage, done, of)

    def on_wait(before: int) -> None:
        if (export.monitor / "stop").exists():
            raise Stopped
        _put(export, state="queued", before=before, started=started)

    with hold_lock(export.monitor / "monitor.lock", _busy(export)):
        try:
            with acquire_device(on_wait):
                on_progress("files", 0, 1)
                event = measure(export, on_progress)
            _put(export, state="done", started=started)
            return event
        except Stopped:
            _put(export, state="stopped", started=started)
            raise
        except BaseException as error:
            message = str(error) if isinstance(error, M2N2Error) else repr(error)
            _put(export, state="failed", error=message, started=started)
            raise
        finally:
            (export.monitor / "stop").unlink(missing_ok=True)


def start_measurement(export: Export) -> None:
    """Measure an export in a process of its own, which outlives this one.

    Raises:
        RunError: that is going on already.
        ExportError: it has no birth certificate to be measured by.
    """
    export.certificate  # noqa: B018  (refuses before a process is started)
    if is_measuring(export):
        raise RunError(_busy(export))
    export.monitor.mkdir(parents=True, exist_ok=True)
    (export.monitor / "stop").unlink(missing_ok=True)
    _put(export, state="starting", started=time.time())
    spawn(["monitor", str(export.path.resolve()), "--json"], export.monitor / "monitor.log")


def ask_measurement_to_stop(export: Export) -> None:
    """Ask the process that measures an export, or is about to, to stop after the batch in hand."""
    if measurement_status(export)["state"] in GOING_ON:
        (export.monitor / "stop").touch()


def is_measuring(export: Export) -> bool:
    """Whether a process measures it now; a killed one does not, whatever it last wrote."""
    return export.monitor.is_dir() and is_locked(export.monitor / "monitor.lock")


def measurement_status(export: Export) -> dict[str, Any]:
    """Read how a measurement stands.

    Returns:
        `state` (none, starting, queued, running, done, stopped, failed, interrupted), and as far as they apply `stage`,
        `done` and `of`, `before` (how many go first), `began` (the stage), `started` and `error`.
    """
    try:
        noted: dict[str, Any] = _STATUS.validate_python(read_json(export.monitor / "status.json"))
    except (OSError, UnreadableDocument, ValidationError):
        return {"state": "none"}
    if noted["state"] in ("queued", "running") and not is_measuring(export):
        return {**noted, "state": "interrupted"}
    if noted["state"] == "starting" and time.time() - noted["started"] > LOOK_SECONDS:
        return {**noted, "state": "interrupted"}
    return noted


def schedule_of(export: Export) -> Schedule:
    """Read how often an export is measured while a studio is open."""
    file = export.monitor / "schedule"
    try:
        noted = read_text(file).strip()
    except (OSError, UnreadableDocument):
        noted = "off"
    return next((one for one in SCHEDULES if one == noted), "off")


def set_schedule(export: Export, schedule: Schedule) -> None:
    """Set how often an export is measured; only one with a certificate can be.

    Raises:
        ExportError: it has no birth certificate, or there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ExportError(
            "There is no schedule {schedule!r}. Expected one of {schedules}.",
            schedule=schedule,
            schedules=", ".join(SCHEDULES),
        )
    if schedule != "off":
        export.certificate  # noqa: B018  (refuses one that cannot be measured)
    write_whole(export.monitor / "schedule", f"{schedule}\n".encode())


def is_due(export: Export, at: datetime) -> bool:
    """Whether an export should be measured now: its schedule says so, and it was not measured since.

    A measurement that failed counts as one for an hour, so that one that cannot succeed does not follow on itself.
    """
    period = _PERIODS.get(schedule_of(export))
    if period is None:
        return False
    events = journal(export).events()
    last = datetime.fromisoformat(events[-1]["when"]) if events else export.certificate.exported
    tried = float(measurement_status(export).get("started", 0.0))
    return at - last >= period and at.timestamp() - tried >= 3600


def start_due(folder: Path) -> list[Export]:
    """Start the measurements that are due; they wait for their turn on the machine, behind runs and each other."""
    started = []
    for export in list_exports(folder):
        try:
            if export.has_certificate and is_due(export, now()) and not is_measuring(export):
                start_measurement(export)
                started.append(export)
        except M2N2Error as error:
            logger.warning("%s was not measured: %s", export.name, error)
    return started


def keep_schedules(folder: Path) -> None:
    """Look after the schedules of a folder of exports, for as long as this thread lives."""
    while True:
        try:
            start_due(folder)
        except Exception:  # a full disk, an export taken away meanwhile: the next look may go well
            logger.exception("schedules of %s could not be looked after this time", folder)
        time.sleep(LOOK_SECONDS)


def _put(export: Export, **values: Any) -> None:
    write_whole(export.monitor / "status.json", json.dumps(values).encode())


def _busy(export: Export) -> Phrase:
    return Phrase("{name} is being measured already; wait for it, or cancel it first.", name=export.name)
