"""An export before and after it is written, as the Export page shows it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.errors import ExportError
from pipelines.export import PRECISIONS, SINGLE_FILE
from pipelines.plan import Plan
from pipelines.single_file import single_file_entries
from studio.card import is_full_size, snippet
from studio.errors import RunError
from studio.i18n import Lang, t
from studio.ledger import inherited, warnings
from studio.models import open_recipe_sources
from studio.ship import Shipped, drawing, ship

from .shared import Studio, choices, gigabytes

Form = Literal["file", "folder"]
HOST = "host"  # the precision of the host's file
_NAME = re.compile(r"[\w][\w .-]{0,79}")  # one folder's name: letters of any script, digits, no separators
_LONGEST = 200  # bytes of a name; most disks take 255, and unfinished exports bear longer ones


@dataclass(frozen=True)
class Offer:
    """What an export of one individual would be."""

    licences: list[list[str]]
    warnings: list[str]
    size: int
    free: int
    path: Path


def offer(
    studio: Studio, lang: Lang, name: str, id: str, title: str, form: Form = "folder", precision: str = HOST
) -> Offer:
    """Size, place and licences of an export, before anything is written.

    Raises:
        M2N2Error: no such individual; its sources are gone; the title is no name; no single file can hold it.
    """
    with studio.run(name) as store:
        recipe = store.individual(id).recipe
    sources = open_recipe_sources(recipe)
    entries = inherited(recipe, sources)
    rows = [
        [
            entry.name,
            entry.licence or t(lang, "licence_unknown"),
            ", ".join(entry.parts),
            entry.duty(lang) or t(lang, "read_it"),
        ]
        for entry in entries
    ]
    path = target(studio, title, form)
    plan = Plan(recipe, sources, dtype=PRECISIONS.get(precision))
    size = sum(entry.size for entry in single_file_entries(plan)) if form == "file" else plan.size()
    return Offer(rows, warnings(entries, lang), size, shutil.disk_usage(studio.runs).free, path)


def fitting_form(studio: Studio, name: str, id: str) -> Form:
    """The form to offer first: a single file where ComfyUI and A1111 can open it."""
    with studio.run(name) as store:
        recipe = store.individual(id).recipe
    plan = Plan(recipe, open_recipe_sources(recipe))
    try:
        single_file_entries(plan)
    except ExportError:
        return "folder"
    return "file" if is_full_size(plan) else "folder"


def target(studio: Studio, title: str, form: Form = "folder") -> Path:
    """Where an export of that title is written.

    Raises:
        RunError: the title cannot be a folder's name.
    """
    name = title.strip().removesuffix(SINGLE_FILE)
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST:
        raise RunError(
            f"The name {title!r} cannot be a folder's. Expected letters, digits, spaces, dots and dashes, at most 80, "
            "the first a letter or a digit."
        )
    return studio.exports / (f"{name}{SINGLE_FILE}" if form == "file" else name)


@dataclass(frozen=True)
class Done:
    """A finished export, and how to open it: `other` says what to do in ComfyUI and A1111, if they can open it."""

    shipped: Shipped
    code: str
    full_size: bool
    architecture: str


def export(
    studio: Studio,
    name: str,
    id: str,
    title: str,
    form: Form = "folder",
    precision: str = HOST,
    progress: Callable[[int, int], None] | None = None,
) -> Done:
    """Write the checkpoint.

    Raises:
        M2N2Error: see `studio.ship.ship`; nothing half-written is left behind.
    """
    path = target(studio, title, form)
    chosen = None if precision == HOST else precision
    with studio.run(name) as store:
        shipped = ship(store, id, path, precision=chosen, progress=progress)
        recipe = store.individual(id).recipe
        plan = Plan(recipe, open_recipe_sources(recipe))
        full_size = is_full_size(plan)
        code = snippet(str(shipped.path), drawing(store), full_size=full_size)
    return Done(shipped, code, full_size, str(plan.lender("unet").architecture))


def told(lang: Lang, done: Done) -> str:
    """Where an export lies, and the hashes it is known by."""
    shipped = done.shipped
    hashes = "\n".join(f"- {t(lang, f'sha256_{what}')}: `{digest}`" for what, digest in shipped.hashes.items())
    return t(lang, "exported", path=str(shipped.path), size=gigabytes(shipped.size)) + f"\n\n{hashes}"


def how_to(lang: Lang, done: Done, program: Literal["comfyui", "a1111"]) -> str:
    """How to open an export in a program other than diffusers."""
    path = done.shipped.path
    if not done.full_size:
        return t(lang, "howto_other_shapes", architecture=done.architecture)
    if path.suffix != SINGLE_FILE:
        return t(lang, "howto_needs_file")
    return t(lang, f"howto_{program}", file=path.name)


def recipe_file(studio: Studio, name: str, id: str) -> Path:
    """The recipe alone, as a file to download; `m2n2 merge` rebuilds the weights from it and the sources."""
    with studio.run(name) as store:
        recipe = store.individual(id).recipe
    path = Path(tempfile.mkdtemp(prefix="m2n2-recipe-")) / f"{name}-{id}.recipe.json"
    recipe.save(path)
    return path


def first_choice(studio: Studio, lang: Lang, name: str, id: str | None) -> tuple[list[tuple[str, str]], str | None]:
    """Who can be exported, and who is chosen at first: the one asked for, else the child the report is about."""
    with studio.run(name) as store:
        found = choices(lang, store)
        ids = [value for _, value in found]
        if id and id not in ids:
            store.individual(id)  # refuses an unknown one; the dead can be exported too
            found, ids = [(id, id), *found], [id, *ids]
        child = store.get("child")
    return found, next((value for value in (id, child, *ids) if value in ids), None)
