"""An export before and after it is written, as the Export page shows it: plan, preview, send."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote

from markupsafe import Markup

from pipelines.errors import ExportError
from pipelines.exporting.single_file import single_file_entries
from pipelines.storage.disk_space import free_space, has_room
from pipelines.untrusted import UnreadableDocument, parse_json
from pipelines.weaving.plan import Plan
from studio.errors import LicenceError, RunError
from studio.exporting import export_names
from studio.exporting.card_content import example_drawing
from studio.exporting.export_plan import ExportPlan
from studio.exporting.lora_plan import LoraPlan, WrittenLora
from studio.exporting.model_card import diffusers_snippet, is_full_size
from studio.exporting.recipe_package import RecipePackage
from studio.formatting import format_bytes, format_duration, format_score
from studio.i18n import Lang, phrase, t
from studio.judging.shortlist import shortlist
from studio.library.model_reference import open_recipe_sources
from studio.ui.common import html
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio, individual_choices, individual_label

from . import licences
from .wish import ExportFormat, Planned, Wish, export_plan_of, plan

_PACKAGE = 100_000  # bytes of a recipe-only export, about: recipe, card and licence texts
_SHOWN = 400  # letters of a value of the header


def facts(studio: Studio, lang: Lang, planned: Planned) -> tuple[str, bool]:
    """Size, free space and place in words, and whether it fits and licences let it be written.

    Raises:
        ExportError: no single file can hold it.
    """
    size = _PACKAGE if isinstance(planned, RecipePackage) else planned.size
    fits = has_room(studio.exports, size)
    key = "facts_recipe" if isinstance(planned, RecipePackage) else "facts" if fits else "facts_too_big"
    free = format_bytes(free_space(studio.exports))
    words = t(lang, key, size=format_bytes(size), free=free, path=str(planned.target))
    told = "\n\n".join([words, *(note.text(lang) for note in export_plan_of(planned).merge_notes)])
    if licences.is_barred(planned):
        return f"{told}\n\n{t(lang, 'barred')}", False
    return told, fits


def fitting_form(studio: Studio, run: str, id: str) -> ExportFormat:
    """The form to offer first: a single file where ComfyUI and A1111 can open it."""
    with studio.run(run) as store:
        recipe = store.individual(id).recipe
    built = Plan(recipe, open_recipe_sources(recipe))
    try:
        single_file_entries(built)
    except ExportError:
        return "folder"
    return "file" if is_full_size(built) else "folder"


def portrait(studio: Studio, lang: Lang, run: str, id: str) -> Markup:
    """An individual at a glance: scores, and pictures that show it at its best and its worst."""
    with studio.run(run) as store:
        one = store.individual(id)
        pictures = Markup("").join(
            html.figure(html.run_picture(store, id, prompt.id, language), f"{id}: {text}", text or "")
            for prompt in html.best_and_worst_prompts(one, store.prompts.niches, 4)
            for language, text in prompt.captions
        )
    means = " · ".join(
        f"{t(lang, f'kind_{kind}')} {format_score(one.mean(kind))}" for kind in ("ja", "en", "consistency")
    )
    return Markup('<div class="portrait"><p class="number">{}</p><div class="strip eight">{}</div></div>').format(
        means, pictures
    )


@dataclass(frozen=True)
class Preview:
    """What will be written beside the weights."""

    card: str
    front_matter: str
    metadata: dict[str, Any]
    pictures: Markup


def preview(lang: Lang, planned: Planned, run: str, id: str) -> Preview:
    """The card as it will be written, with the pictures where the browser finds them, and what files say of it.

    Raises:
        M2N2Error: a source's file cannot be read.
    """
    export_plan = export_plan_of(planned)
    _, front, card = (
        planned.readme().split("---\n", 2) if isinstance(planned, ExportPlan) else ("", "", planned.readme())
    )
    place = f"/pictures/run/{quote(run)}/{quote(id)}/"
    samples = Markup("").join(
        html.figure(place + quote(sample.name), sample.caption, sample.caption)
        for sample in export_plan.content.samples
    )
    if isinstance(planned, RecipePackage):
        metadata: dict[str, Any] = planned.recipe.model_dump(mode="json", exclude_none=True)
    elif isinstance(planned, LoraPlan):
        metadata = {key: _shown(value) for key, value in planned.metadata().items()}
    else:
        metadata = {key: _shown(value) for key, value in export_plan.metadata.items()} or export_plan.index
    gone_along = samples or Markup('<p class="quiet">{}</p>').format(t(lang, "no_pictures"))
    return Preview(
        card=re.sub(r"\]\(samples/([^()\s]+)\)", lambda found: f"]({place}{quote(unquote(found[1]))})", card),
        front_matter=front,
        metadata=metadata,
        pictures=Markup('<div class="strip six">{}</div>').format(gone_along),
    )


@dataclass(frozen=True)
class Done:
    """A finished export: where it lies, what it is known by, and the code that opens it with diffusers."""

    planned: Planned
    size: int
    hashes: Mapping[str, str]
    code: str
    notes: Sequence[str] = ()

    @property
    def is_lora(self) -> bool:
        """Whether it is a LoRA, which opens on its base alone."""
        return isinstance(self.planned, LoraPlan)

    @property
    def is_recipe(self) -> bool:
        """Whether it is a recipe without weights."""
        return isinstance(self.planned, RecipePackage)


def export(
    studio: Studio,
    lang: Lang,
    wish: Wish,
    read: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> Done:
    """Write what is asked for.

    Args:
        studio: whose exports folder takes it.
        lang: of the warnings.
        wish: the page's fields.
        read: the warnings that were ticked as read.
        progress: told (bytes done, bytes in all); raise in it to give up.

    Raises:
        RunError: a warning was not ticked.
        LicenceError: licences stand against the weights, and nobody stated why they may be written.
        M2N2Error: see `ExportPlan.write`; nothing half-written is left behind.
    """
    planned = plan(studio, wish)
    if set(licences.terms(lang, planned).warnings) - set(read):
        with at_field("read"):
            raise RunError(phrase("tick_first"))
    if licences.is_barred(planned):
        with at_field("licence-reason"):
            raise LicenceError(phrase("barred"))
    if isinstance(planned, RecipePackage):
        packed = planned.write(progress)
        return Done(planned, packed.size, packed.hashes, "\n".join(planned.commands))
    shipped = planned.write(progress)
    if isinstance(shipped, WrittenLora):
        code = f"pipeline.load_lora_weights({str(shipped.path.parent)!r}, weight_name={shipped.path.name!r})"
        return Done(planned, shipped.size, shipped.hashes, code, shipped.notes(lang))
    with studio.run(wish.run) as store:
        full_size = is_full_size(export_plan_of(planned).plan)
        code = diffusers_snippet(str(shipped.path), example_drawing(store), full_size=full_size)
    return Done(planned, shipped.size, shipped.hashes, code, shipped.facts(lang) + shipped.notes(lang))


def told(lang: Lang, done: Done) -> str:
    """Where an export lies, and the hashes it is known by."""
    known = {f"sha256_{what}": digest for what, digest in done.hashes.items()}
    lines = [f"- {t(lang, key)}: `{digest}`" for key, digest in known.items()]
    key = "exported_recipe" if done.is_recipe else "exported"
    notes = [f"- {note}" for note in done.notes]
    return "\n".join([t(lang, key, path=str(done.planned.target), size=format_bytes(done.size)), "", *lines, *notes])


def how_to(lang: Lang, done: Done, program: Literal["comfyui", "a1111"]) -> str:
    """How to open an export in a program other than diffusers."""
    export_plan = export_plan_of(done.planned)
    if not is_full_size(export_plan.plan):
        architecture = export_plan.plan.lender("unet").architecture
        return t(lang, "howto_other_shapes", architecture=str(architecture))
    if done.is_lora:
        return t(lang, f"howto_lora_{program}", file=export_plan.target.name, name=export_plan.target.stem)
    if not export_plan.is_file:
        return t(lang, "howto_needs_file")
    return t(lang, f"howto_{program}", file=export_plan.target.name)


class Clock:
    """Bytes and the time left, in words, as an export goes on."""

    def __init__(self, lang: Lang, now: Callable[[], float] = time.monotonic) -> None:
        self._lang, self._now = lang, now
        self._began = now()

    def words(self, done: int, of: int) -> str:
        """How far it is; the time left is what the rest takes at the speed so far."""
        if done >= of:
            return t(self._lang, "checking")
        left = (self._now() - self._began) / done * (of - done) if done else None
        said = t(self._lang, "written", done=format_bytes(done), of=format_bytes(of))
        return (
            said if left is None else f"{said} · {t(self._lang, 'time_left', time=format_duration(self._lang, left))}"
        )


@at_field("only")
def first_choice(
    studio: Studio, lang: Lang, name: str, id: str | None, *, starred: bool = False
) -> tuple[list[tuple[str, str]], str | None]:
    """Who can be exported, and who is chosen at first: the one asked for, else the child the report is about.

    Args:
        studio: whose runs there are.
        lang: of the labels.
        name: of the run.
        id: who is asked for.
        starred: only the shortlist, in its order; the first of it stands before the child.

    Raises:
        RunError: there is no such run or individual, or the shortlist is empty.
    """
    with studio.run(name) as store:
        chosen = shortlist(store) if starred else []
        if starred and not chosen:
            raise RunError(phrase("shortlist_empty"))
        found = [(individual_label(lang, one), one.id) for one in chosen] or individual_choices(lang, store)
        ids = [value for _, value in found]
        if id and id not in ids:
            store.individual(id)  # refuses an unknown one; the dead can be exported too
            found, ids = [(id, id), *found], [id, *ids]
        child = None if starred else store.state.child
    return found, next((value for value in (id, child, *ids) if value in ids), None)


def suggested(studio: Studio, name: str, id: str) -> str:
    """A readable name for an export of an individual."""
    with studio.run(name) as store:
        return export_names.suggest_name(store.individual(id), studio.exports)


def _shown(value: str) -> Any:
    """A value of a header as a person reads it: JSON as what it says, pictures and long texts cut short."""
    if value.startswith("{"):
        try:
            content = parse_json(value)
        except UnreadableDocument:  # a source's own header may hold anything
            return f"{value[:60]}… ({len(value)})"
        return content if len(value) <= 10 * _SHOWN else f"{value[:_SHOWN]}…"
    return value if len(value) <= _SHOWN else f"{value[:60]}… ({len(value)})"
