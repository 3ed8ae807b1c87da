"""What a new run will cost, and its beginning: nothing is made of a form that does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import assets
from pipelines.checkpoints.source_uri import is_at_hand
from pipelines.errors import M2N2Error
from pipelines.recipes.lenders import is_place
from studio.execution import control
from studio.execution.creation import create_run
from studio.execution.preflight import Preflight, measured_rate, preflight
from studio.formatting import format_bytes, format_duration, ordinal
from studio.i18n import Lang, t, worded
from studio.jobs.device_queue import device_count
from studio.licences.ledger import ledger_of_sources
from studio.markdown import markdown_text
from studio.run_folders.labels import RunLabel, checked_label, write_label
from studio.runs.config import RunConfig
from studio.runs.inputs import RunPrompts, open_run_sources
from studio.runs.status import is_carried
from studio.ui.common.field_errors import at_field
from studio.ui.common.open_folders import OpenFolders
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import name_subject

from .form import EMBEDDED, RunForm

# One picture and denoising step of the embedded family on two CPU cores, scoring included; until a run tells better.
SECONDS_PER_STEP = 0.0055
_NAMING_FILES = {
    "prompts": OpenFolders.path,
    "held_out": OpenFolders.path,
    "scorer": OpenFolders.scorer,
    "reporter": OpenFolders.scorer,
}  # fields of the form


def cost(studio: Studio, lang: Lang, form: RunForm) -> str:
    """What the run will take, in words; says what is missing while the form is not complete."""
    studio.runs.mkdir(parents=True, exist_ok=True)
    try:
        check_open(studio, form)
        if not all(map(is_at_hand, [*form.folders, *filter(is_place, form.lent_parts.values())])):
            return t(lang, "cost_fetch")
        config = form.config()
        expected = expect(studio, config)
        captions = len(RunPrompts(config).niches)
        clashes = ledger_of_sources(open_run_sources(config).values()).sentences(lang)
    except M2N2Error as error:
        return markdown_text(worded(lang, error))
    sentences = [
        t(
            lang,
            "cost",
            captions=captions,
            offspring=config.evaluations,
            time=t(lang, f"cost_{expected.basis.replace(' ', '_')}", time=format_duration(lang, expected.seconds)),
        ),
        *(
            t(lang, f"needs_{kind}", size=format_bytes(size), free=format_bytes(expected.available[kind]))
            for kind, size in expected.needs.items()
        ),
        *(f"**{markdown_text(worded(lang, sentence))}**" for sentence in expected.refusals),
        *(markdown_text(worded(lang, sentence)) for sentence in expected.warnings),
        *waiting_words(studio, lang),
        *([f"**{t(lang, 'clash_before', sentences=markdown_text(' '.join(clashes)))}**"] if clashes else []),
    ]
    return " ".join(sentences)


def waiting_words(studio: Studio, lang: Lang) -> list[str]:
    """Say which place in the line a run would have that is started now; nothing where it would be at work at once."""
    going = sum(is_carried(studio.runs / name) for name in studio.run_names())
    return [t(lang, "cost_line", place=ordinal(lang, going + 1))] if going >= device_count() else []


def expect(studio: Studio, config: RunConfig) -> Preflight:
    """What a run will take; time from an earlier run over the same sources, else from what the embedded family takes.

    Raises:
        M2N2Error: a source, a prompt set or a scorer cannot be opened.
    """
    embedded_family = all(Path(uri).parent == assets.FAMILY for uri in config.sources)
    rate = measured_rate(studio.runs, config) or (SECONDS_PER_STEP if embedded_family else None)
    return preflight(config, open_run_sources(config), folder=studio.runs, rate=rate)


def check_open(studio: Studio, form: RunForm) -> None:
    """Refuse a form that names files outside of the open folders, but for those that the run it forks was given.

    Raises:
        M2N2Error: it names one; there is no such run; a source is none that is understood.
    """
    folders, given = studio.open_folders, None
    for field, run in (("fork-of", form.fork), ("start", form.start), ("votes", form.votes)):
        if run:
            with at_field(field):
                folders.path(run)
    if form.fork:
        with studio.run(Path(form.fork).name) as store:
            given = store.config
        folders = replace(folders, known=folders.known | {*given.sources, *filter(is_place, given.host.values())})
    with at_field("own"):
        folders.sources(form.folders)
    with at_field("lent"):
        folders.sources(filter(is_place, form.lent_parts.values()))
    for field, check in _NAMING_FILES.items():
        named = getattr(form, field).strip()
        if named and named != EMBEDDED and named != getattr(given, field, None):
            with at_field(field):
                check(folders, named)


def begin(studio: Studio, form: RunForm) -> str:
    """Make a run from the form and start it; returns its name.

    Raises:
        M2N2Error: something in the form cannot be opened or does not fit; nothing is made then.
    """
    check_open(studio, form)
    with at_field("run-name"):
        label = checked_label(form.name, "", "")
    config = form.check()
    studio.previewer.release()  # or the run would find the device taken by the page beside
    expect(studio, config).check()
    store = create_run(control.default_folder(studio.runs), config)
    if label != RunLabel():
        write_label(store.folder, label)
    control.start(store)
    store.close()
    return name_subject(store.name)
