"""Runs as pages steer them: what one will cost, begin, pause, go on, end; and which one a page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import assets
from pipelines.checkpoints.source_uri import is_at_hand
from pipelines.errors import M2N2Error
from pipelines.recipes.lenders import is_place
from studio.errors import RunError
from studio.execution import control
from studio.execution.creation import create_run
from studio.execution.preflight import Preflight, measured_rate, preflight
from studio.formatting import format_bytes, format_duration
from studio.i18n import Lang, phrase, t, worded
from studio.licences.ledger import ledger_of_sources
from studio.markdown import markdown_text
from studio.runs import status
from studio.runs.config import RunConfig
from studio.runs.inputs import RunPrompts, open_run_sources
from studio.ui.common.field_errors import at_field
from studio.ui.common.open_folders import OpenFolders
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import name_subject

from .form import EMBEDDED, EvolveForm

# One picture and denoising step of the embedded family on two CPU cores, scoring included; until a run tells better.
SECONDS_PER_STEP = 0.0055
_NAMING_FILES = {
    "prompts": OpenFolders.path,
    "held_out": OpenFolders.path,
    "scorer": OpenFolders.scorer,
    "reporter": OpenFolders.scorer,
}  # fields of the form


def cost(studio: Studio, lang: Lang, form: EvolveForm) -> str:
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
        *([f"**{t(lang, 'clash_before', sentences=markdown_text(' '.join(clashes)))}**"] if clashes else []),
    ]
    return " ".join(sentences)


def expect(studio: Studio, config: RunConfig) -> Preflight:
    """What a run will take; time from an earlier run over the same sources, else from what the embedded family takes.

    Raises:
        M2N2Error: a source, a prompt set or a scorer cannot be opened.
    """
    embedded_family = all(Path(uri).parent == assets.FAMILY for uri in config.sources)
    rate = measured_rate(studio.runs, config) or (SECONDS_PER_STEP if embedded_family else None)
    return preflight(config, open_run_sources(config), folder=studio.runs, rate=rate)


def check_open(studio: Studio, form: EvolveForm) -> None:
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


def begin(studio: Studio, form: EvolveForm) -> str:
    """Make a run from the form and start it; returns its name.

    Raises:
        M2N2Error: something in the form cannot be opened or does not fit; nothing is made then.
    """
    check_open(studio, form)
    config = form.check()
    studio.previewer.release()  # or the run would find the device taken by the page beside
    expect(studio, config).check()
    store = create_run(control.default_folder(studio.runs), config)
    control.start(store)
    store.close()
    return name_subject(store.name)


def stop(studio: Studio, name: str) -> bool:
    """Ask a run to stop after the batch of pictures in hand; returns whether it waited for the machine till now."""
    with studio.run(name) as store:
        status.ask_to_stop(store)
        return store.state.status == "queued"


def finish(studio: Studio, name: str) -> None:
    """Ask a run to breed nobody else, and to report."""
    with studio.run(name) as store:
        control.finish(store)


def extend(studio: Studio, name: str, evaluations: int) -> None:
    """Give a run that stands still another budget, and go on with it.

    Raises:
        RunError: it is going on, or has made more offspring already.
    """
    with studio.run(name) as store, at_field("budget"):
        control.extend(store, evaluations)
    resume(studio, name)


def resume(studio: Studio, name: str, accept: str | None = None) -> None:
    """Go on with a run that was stopped, or whose process is gone; `accept` as of `control.carry_out`."""
    studio.previewer.release()
    with studio.run(name) as store:
        control.start(store, accept)


def accept(studio: Studio, name: str, why: str) -> None:
    """Go on with a run though what it depends on has changed.

    Raises:
        RunError: no reason is given.
    """
    if not why.strip():
        with at_field("accept-why"):
            raise RunError(phrase("accept_empty"))
    resume(studio, name, why.strip())
