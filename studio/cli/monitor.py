"""`m2n2 monitor`: measure an export again as at its birth, and say whether it changed; for people and for cron."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import Json

VERDICT_TEXTS = {
    "damaged": "DAMAGED: {files} not as written; export it again, or fetch it again",
    "first": "measured for the first time; later measurements are compared with this one",
    "equal": "every score is the same, bit for bit",
    "noise": "within numerical noise",
    "changed": "CHANGED beyond numerical noise",
}


def monitor(
    export: Annotated[
        Path, typer.Argument(metavar="EXPORT", help="an export's folder, or its .safetensors with NAME.about beside it")
    ],
    as_json: Json = False,
) -> None:
    """Measure an export as at its birth; exit code 1 if it changed. / 書き出し時と同じ条件で測り直します。"""
    from studio.exporting.registry import open_export
    from studio.jobs.process import Stopped
    from studio.monitoring.drift import drift
    from studio.monitoring.remeasure import journal
    from studio.monitoring.scheduler import carry_out_measurement

    measured = open_export(export)
    try:
        with console.stages_progress() as progress:
            carry_out_measurement(measured, progress)
    except Stopped:
        console.errors.print("stopped; nothing was recorded")
        raise typer.Exit(1) from None
    latest = drift(measured.certificate, journal(measured).events())
    if as_json:
        console.print_json({"export": str(measured.path), **latest.as_json()})
    else:
        print(f"{measured.name}: {VERDICT_TEXTS[latest.verdict].format(files=', '.join(latest.damaged))}")
        for kind, change in latest.means.items():
            print(f"  {kind}: {change.then:.6f} -> {change.now:.6f} ({change.difference:+.2e})")
    if latest.verdict in ("damaged", "changed"):
        raise typer.Exit(1)
