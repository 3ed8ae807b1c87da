"""`m2n2 merge` and `m2n2 export`: a checkpoint of a recipe, or of an individual."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.runs.kind import is_any

from . import console
from .options import Base, Dtype, Form, Json, LicenceReason, Out, Push, Rank, Run, StatedBy, licence_statement

if TYPE_CHECKING:
    from pipelines.recipes.statement import LicenceStatement
    from studio.exporting.export_plan import ExportPlan
    from studio.exporting.lora_plan import LoraPlan


def merge(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="a recipe file")],
    out: Out,
    dtype: Dtype = None,
    form: Form = None,
    rank: Rank = None,
    base: Base = None,
    push: Push = None,
    licence_reason: LicenceReason = None,
    stated_by: StatedBy = None,
    as_json: Json = False,
) -> None:
    """Build a recipe's checkpoint, with card and licences. / レシピからチェックポイントを作ります。"""
    from pipelines.recipes.recipe import load_recipe

    statement = licence_statement(licence_reason, stated_by)
    if recipe.suffix == ".json" and load_recipe(recipe).architecture == "any":
        _refuse_sdxl_options(out, dtype, push or form)
        from . import networks

        networks.merge(recipe, out, statement, as_json)
        return

    from studio.exporting import export_plan
    from studio.library.model_reference import open_model

    def plan(target: Path) -> ExportPlan | LoraPlan:
        loaded, sources = open_model(str(recipe))
        planned = export_plan.plan_recipe_export(loaded, sources, target, precision=dtype, statement=statement)
        return _in_form(planned, lora, statement)

    lora = _lora_options(form, rank, base, push)
    _write_and_push(plan, out, push, as_json)


def export(
    run: Run,
    individual: Annotated[str, typer.Argument(metavar="INDIVIDUAL", help="its id, as `m2n2 show` prints it")],
    out: Out,
    dtype: Dtype = None,
    form: Form = None,
    rank: Rank = None,
    base: Base = None,
    push: Push = None,
    licence_reason: LicenceReason = None,
    stated_by: StatedBy = None,
    as_json: Json = False,
) -> None:
    """Export an individual with its card, recipe and licences. / 個体をカードやレシピとともに書き出します。"""
    statement = licence_statement(licence_reason, stated_by)
    if is_any(run):
        _refuse_sdxl_options(out, dtype, push or form)
        from . import networks

        networks.export(run, individual, out, statement, as_json)
        return

    from studio.exporting import export_plan
    from studio.runs import store

    lora = _lora_options(form, rank, base, push)
    run_store = store.open_run(run)

    def plan(target: Path) -> ExportPlan | LoraPlan:
        planned = export_plan.plan_export(run_store, individual, target, precision=dtype, statement=statement)
        return _in_form(planned, lora, statement)

    _write_and_push(plan, out, push, as_json)


def _lora_options(form: str | None, rank: int | None, base: str | None, push: str | None) -> tuple[str, int] | None:
    """Return base and rank of a LoRA, `None` where a checkpoint is asked for."""
    if form is None:
        if rank is not None or base is not None:
            raise typer.BadParameter("--rank and --base are of a LoRA: expected --as lora with them.")
        return None
    if base is None:
        raise typer.BadParameter("--as lora: expected --base SOURCE, the checkpoint that the LoRA is put on.")
    if push:
        raise typer.BadParameter("--push uploads checkpoints: expected --as lora without it; upload the LoRA by hand.")
    from pipelines.exporting.lora_export import DEFAULT_RANK

    return base, DEFAULT_RANK if rank is None else rank


def _in_form(
    planned: ExportPlan, lora: tuple[str, int] | None, statement: LicenceStatement | None
) -> ExportPlan | LoraPlan:
    """Return a planned checkpoint, or the LoRA that stands for it."""
    if lora is None:
        return planned
    from pipelines.checkpoints.source_uri import open_source_uri
    from studio.exporting.lora_plan import plan_lora

    base, rank = lora
    return plan_lora(planned, open_source_uri(base), rank, statement)


def _refuse_sdxl_options(out: Path, dtype: str | None, push: str | None) -> None:
    if dtype or push or out.suffix in (".safetensors", ".zip"):
        raise typer.BadParameter(
            "Any other network than SDXL is written as a folder like its host's, in the precision of its files: "
            "expected --out FOLDER, without --dtype, --as and --push."
        )


def _write_and_push(plan: Callable[[Path], ExportPlan | LoraPlan], out: Path, push: str | None, as_json: bool) -> None:
    """Write a checkpoint, or its recipe alone, push it if asked to, and say where it is."""
    from studio.exporting.export_plan import ExportPlan
    from studio.exporting.recipe_package import PACKAGE_ENDING, RecipePackage

    if push:
        from studio.exporting import hub_upload as hub

        hub.check_push(push)
    is_recipe = out.name.endswith(PACKAGE_ENDING)
    with console.ends_tidily(), console.bytes_progress() as progress:
        planned: ExportPlan | LoraPlan | RecipePackage = plan(
            out.with_name(out.name.removesuffix(PACKAGE_ENDING)) if is_recipe else out
        )
        if is_recipe and isinstance(planned, ExportPlan):  # a LoRA by such a name is refused where it is written
            planned = RecipePackage(planned, Path(os.path.expanduser(out)))
        written = planned.write(progress)
    console.print_warnings(written.warnings("en"))
    console.print_notes(written.notes("en"))
    if not as_json:
        console.print_facts(written.facts("en"))
    page = None
    if push:
        with console.bytes_progress("comparing") as progress:
            page = hub.push_export(written, push, progress=progress)
    if as_json:
        console.print_json(written.as_json() | {"pushed": page})
        return
    if page:
        console.errors.print(f"pushed to {page}", soft_wrap=True)
    print(written.path)
