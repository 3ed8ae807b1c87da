"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import ValidationError

from pipelines.generation.prompt_syntax import PromptSyntax
from pipelines.generation.settings import PresetName

if TYPE_CHECKING:
    from pipelines.recipes.statement import LicenceStatement

Run = Annotated[Path, typer.Argument(metavar="RUN", help="a run's folder")]
Out = Annotated[
    Path,
    typer.Option(
        help="a single file where it ends in .safetensors, the recipe alone where it ends in .recipe.zip, else a "
        "diffusers folder to make"
    ),
]
Dtype = Annotated[
    Literal["fp16", "bf16", "fp32", "fp8"] | None, typer.Option(help="precision of all weights; the host's if left out")
]
Form = Annotated[
    Literal["lora"] | None,
    typer.Option(
        "--as", help="lora: a LoRA that makes --base the merge, small and not exact; a checkpoint if left out"
    ),
]
Rank = Annotated[int | None, typer.Option(min=1, max=1024, help="rank of the LoRA; 32 if left out")]
Base = Annotated[
    str | None, typer.Option(metavar="SOURCE", help="what the LoRA is put on: a checkpoint that people have")
]
Push = Annotated[
    str | None,
    typer.Option(metavar="OWNER/NAME", help="upload it to this Hugging Face repository, made private if it is new"),
]
Pictures = Annotated[
    PresetName | None,
    typer.Option(help="how pictures are drawn: few steps to look around, for runs, or to keep; standard if left out"),
]
Syntax = Annotated[
    PromptSyntax | None,
    typer.Option(
        help="how prompts are read: as they stand, or with A1111's weights, BREAK and chunks; as the run reads them, "
        "else plain, if left out"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout and nothing else there")]
LicenceReason = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help="why you may publish a merge that its licences stand against; goes into its record"
    ),
]
StatedBy = Annotated[
    str | None, typer.Option(metavar="NAME", help="who states the reason; the user of this machine if left out")
]


def licence_statement(reason: str | None, who: str | None) -> LicenceStatement | None:
    """Make what a person states of the licences, now; nothing where nothing is stated."""
    from pipelines.recipes.statement import LicenceStatement
    from studio.runs.store import now

    if reason is None:
        return None
    try:
        user = who or getpass.getuser()
    except (KeyError, ImportError, OSError):  # a container may know nobody
        raise typer.BadParameter(
            "--licence-reason: nobody knows who you are here. Expected --stated-by NAME."
        ) from None
    try:
        return LicenceStatement(reason=reason, who=user, when=now())
    except ValidationError:
        raise typer.BadParameter(
            "--licence-reason and --stated-by: expected a few words, 2000 letters at most."
        ) from None
