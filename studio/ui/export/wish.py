"""What somebody asks for on the Export page, and the plan of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.exporting.export import SINGLE_FILE_SUFFIX
from pipelines.exporting.lora_export import DEFAULT_RANK
from pipelines.recipes.statement import LicenceStatement
from studio.errors import RunError
from studio.exporting import export_names
from studio.exporting.export_plan import ExportPlan, plan_export
from studio.exporting.lora_plan import LoraPlan, plan_lora
from studio.exporting.recipe_package import PACKAGE_ENDING, RecipePackage
from studio.i18n import phrase
from studio.library import source_library
from studio.runs.store import now
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio

ExportFormat = Literal["file", "folder", "lora", "recipe"]
FORMS: tuple[ExportFormat, ...] = ("file", "folder", "lora", "recipe")
HOST = "host"  # the precision of the host's file
Planned = ExportPlan | LoraPlan | RecipePackage


@dataclass(frozen=True)
class Wish:
    """What somebody asks for: the fields of the page."""

    run: str
    id: str
    title: str
    form: ExportFormat = "folder"
    precision: str = HOST
    credit: str | None = None
    base: str | None = None
    rank: int = DEFAULT_RANK
    reason: str = ""
    stated_by: str = ""

    @property
    def name(self) -> str:
        """The export's name without an ending."""
        return export_names.without_ending(self.title)

    @property
    def statement(self) -> LicenceStatement | None:
        """What somebody states of the licences, now; nothing where the reason or the name is missing."""
        try:
            return LicenceStatement(reason=self.reason, who=self.stated_by, when=now())
        except ValidationError:
            return None


def plan(studio: Studio, wish: Wish) -> Planned:
    """Plan what is asked for; the preview shows it, and `steps.export` sends it.

    Raises:
        M2N2Error: no such run or individual; its sources are gone; the title is no name; a LoRA without a base.
    """
    if problem := export_names.name_problem(wish.title, studio.exports):
        with at_field("called"):
            raise RunError(phrase(f"name_{problem}"))
    export_plan = export_of(studio, wish)
    if wish.form == "recipe":
        return RecipePackage(export_plan, studio.exports / f"{wish.name}{PACKAGE_ENDING}")
    if wish.form == "lora":
        with at_field("base"):
            if not wish.base:
                raise RunError(phrase("lora_needs_base"))
            base = open_source_uri(studio.open_folders.source(wish.base))
        return plan_lora(export_plan, base, int(wish.rank), wish.statement)
    return export_plan


def export_of(studio: Studio, wish: Wish) -> ExportPlan:
    """Plan the weights that are asked for, whether they are there already or not; of a recipe those it stands for.

    Raises:
        M2N2Error: no such run or individual; its sources are gone.
    """
    is_file = wish.form in ("file", "lora")
    target = studio.exports / (f"{wish.name}{SINGLE_FILE_SUFFIX}" if is_file else wish.name)
    with studio.run(wish.run) as store:
        return plan_export(
            store,
            wish.id,
            target,
            title=wish.name,
            precision=None if wish.precision == HOST else wish.precision,
            credit=wish.credit,
            statement=wish.statement,
        )


def export_plan_of(planned: Planned) -> ExportPlan:
    """Return the checkpoint that a plan is, or stands for."""
    return planned if isinstance(planned, ExportPlan) else planned.export


def base_choices(studio: Studio, run: str, id: str) -> tuple[list[tuple[str, str]], str]:
    """List what a LoRA may be put on, as name and URI: the individual's own sources, then all others that are known.

    Returns:
        The choices, and the one to offer first: the individual's host.
    """
    with studio.run(run) as store:
        recipe = store.individual(id).recipe
    names = {source.uri: source.name for source in recipe.sources}
    for known in source_library.known_sources(studio.runs):
        names.setdefault(known.uri, known.name)
    host = next(source.uri for source in recipe.sources if source.name == recipe.lender("unet"))
    return [(name, uri) for uri, name in names.items()], host
