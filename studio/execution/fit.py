"""What of a run does not fit the machine, and what is slower or coarser for it, in phrases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import Phrase
from pipelines.generation.devices import DevicePlan, Machine
from studio.runs.config import RunConfig


def fit_refusals(
    needs: Mapping[str, int], available: Mapping[str, int], machine: Machine, folder: Path
) -> list[Phrase]:
    """What cannot fit.

    Args:
        needs: bytes that the run needs, by `accelerator`, `memory` and `disk`.
        available: bytes that are free, by the same.
        machine: where it would compute.
        folder: where it would lie.
    """
    remedies = {
        "accelerator": (
            str(machine.device),
            Phrase("Close what else uses it, or ask for smaller pictures or a smaller batch."),
        ),
        "memory": (
            Phrase("Main memory"),
            Phrase("Close other programs, or ask for smaller pictures or a smaller batch. A GPU needs half as much.")
            if machine.memory is None
            else Phrase("Close other programs, or ask for smaller pictures or a smaller batch."),
        ),
        "disk": (
            Phrase("The disk of {folder}", folder=folder),
            Phrase("Free some space, choose another folder, or ask for fewer evaluations."),
        ),
    }
    return [
        Phrase(
            "{place}: the run needs {needed:.1f} GB, {free:.1f} GB are free. {remedy}",
            place=remedies[what][0],
            needed=need / 1e9,
            free=available[what] / 1e9,
            remedy=remedies[what][1],
        )
        for what, need in needs.items()
        if need > available[what]
    ]


def fit_warnings(
    config: RunConfig, plan: DevicePlan, cache: int, left: int, judges: Mapping[str, int | None]
) -> list[Phrase]:
    """What will be slower or coarser than asked for.

    Args:
        config: the run.
        plan: how it fits the device.
        cache: bytes of sources to be kept in main memory.
        left: bytes of main memory for that.
        judges: bytes of each scorer by its name; `None` where nobody knows.
    """
    said = []
    if cache > left:
        said.append(
            Phrase(
                "Weaving reads {cache:.1f} GB of sources for every individual, and main memory has room to keep "
                "{left:.1f} GB of them: the rest comes from the disk each time.",
                cache=cache / 1e9,
                left=max(left, 0) / 1e9,
            )
        )
    if plan.batch < config.pictures.batch:
        said.append(
            Phrase(
                "Pictures are drawn {batch} at a time, not {asked}, to fit the device.",
                batch=plan.batch,
                asked=config.pictures.batch,
            )
        )
    if plan.offload != "none":
        said.append(
            Phrase(
                "The pipeline does not fit the device as a whole and comes and goes by {offload}: slower.",
                offload=plan.offload,
            )
        )
    if plan.vae == "tiles":
        said.append(Phrase("Pictures are decoded in tiles to fit the device, which can show faint seams."))
    said += [
        Phrase(
            "The size of the scorer {name} is not known before it is fetched; it is left out of these figures.",
            name=name,
        )
        for name, size in judges.items()
        if size is None
    ]
    return said
