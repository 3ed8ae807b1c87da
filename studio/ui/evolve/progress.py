"""A run as the Evolve page shows it: how far, how good, who holds what, the newest, the report."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from eval.prompts.prompt_set import Prompt
from studio.analysis.look_alikes import alive_alike
from studio.analysis.replay import archive_history
from studio.analysis.selection import best_source
from studio.conditions.agreement import accepted_note
from studio.conditions.difference import Difference, sentence
from studio.evolution.calibration import Calibration
from studio.evolution.racing import RacingRecord
from studio.formatting import format_duration, format_score, report_verdict
from studio.i18n import Lang, t, worded
from studio.judging.pinned_prompts import pinned_prompts
from studio.judging.steering_words import can_be_steered, steering_notes
from studio.markdown import markdown_text
from studio.reports import drawings as maps
from studio.reports.foresight import foresight_words, racing_words
from studio.run_folders.listing import UnreadableRun
from studio.runs.individual import KINDS, Individual
from studio.runs.status import STARTING, is_called
from studio.runs.store import RunStore
from studio.runs.summary import calibration_of, racing_of, status
from studio.stored_messages import stored_phrase
from studio.ui.common import html
from studio.ui.common.frame import page_link
from studio.ui.common.studio import Studio

from .film_strip import film_strip
from .plots import climb, spread, thinned
from .waiting import runs_before, waiting_words
from .workers import has_workers, workers_view

NEWEST = 3  # offspring shown as they arrive: a row at a laptop's width
MORE = 100  # offspring that are offered beyond those made


class RunView(NamedTuple):
    """A run as the page shows it.

    `mark` changes when anything but the time left does; `waits` tells whether it waits for the machine; `is_steered`
    whether people ask it to be steered; `budget` is offered next; `question` asks why the run may go on where what it
    depends on has changed, and is empty otherwise.
    """

    mark: str
    headline: Markup
    workers: Markup
    can_stop: bool
    waits: bool
    can_resume: bool
    can_finish: bool
    can_steer: bool
    is_steered: bool
    budget: int
    film: Markup
    newest: Markup
    table: list[list[str]] | None
    verdict: str
    question: Markup


class Drawings(NamedTuple):
    """What takes longer to draw of a run, and may come a moment later: two plots, the niche map, the family tree."""

    progress: pd.DataFrame
    spread: pd.DataFrame
    niches: Markup
    tree: Markup


def run_view(studio: Studio, lang: Lang, name: str) -> RunView:
    """Read a run as the Evolve page shows it.

    Raises:
        RunError: there is no run of that name.
    """
    with studio.run(name) as store:
        everyone = store.individuals()
        now = status(store)
        offspring = [one for one in everyone if not one.is_source]
        state = store.state
        return RunView(
            mark=_mark(name, now, len(everyone)),
            headline=headline(studio, lang, name, now, len(everyone) - len(offspring)),
            workers=workers_view(lang, now),
            can_stop=now["status"] in ("queued", "running", "reporting"),
            waits=now["status"] == "queued",
            can_resume=now["status"] in ("stopped", "interrupted", "failed") or _never_started(now["status"], store),
            can_finish=now["status"] == "running" and bool(offspring) and not state.finish,
            can_steer=can_be_steered(now),
            is_steered=bool(state.steer and state.steer.favour),
            budget=max(store.config.evaluations, len(offspring) + MORE),
            film=film_strip(lang, store, everyone),
            newest=html.newest_offspring(lang, store, offspring[: -NEWEST - 1 : -1], best_source(everyone))
            + settled_line(lang, everyone, apart=store.config.breeding.min_distance > 0)
            + foresight_lines(lang, calibration_of(everyone, store.config.competing), racing_of(everyone)),
            table=results_table(lang, state.results, state.child, state.realism or {}) if state.results else None,
            verdict=_verdict(lang, state.comparisons) if state.comparisons else "",
            question=question(lang, state.differences),
        )


def drawings(studio: Studio, lang: Lang, name: str) -> Drawings:
    """Draw a run for the page."""
    with studio.run(name) as store:
        everyone = store.individuals()
        moments = thinned(archive_history(everyone, store.config))
        alive = sorted((one for one in everyone if one.alive), key=lambda one: -(one.mean("ja") or 0))
        return Drawings(
            progress=climb(lang, moments),
            spread=spread(lang, moments),
            niches=maps.niche_map(lang, alive, store.prompts.niches),
            tree=maps.family_tree(
                lang,
                everyone,
                lambda id: page_link(lang, "archive", run=name, id=id),
                functools.partial(_portrait, store, pinned_prompts(store)[0]),
            ),
        )


def _portrait(store: RunStore, prompt: Prompt, id: str) -> str | None:
    """The address of an individual's small picture of a prompt; `None` where it was not kept."""
    address = html.run_picture(store, id, prompt.id, "ja" if prompt.ja else "en")
    return address.replace(html.RUN, html.SMALL, 1) if address else None


class Glance(NamedTuple):
    """What is looked at every few seconds: the mark, see `RunView`, the headline, and the workers while they draw."""

    mark: str
    headline: Markup
    workers: Markup


def glance(studio: Studio, lang: Lang, name: str) -> Glance:
    """Look at a run."""
    with studio.run(name) as store:
        now, sources = status(store), store.pace(0).sources
    mark = _mark(name, now, sources + now["done"])
    return Glance(mark, headline(studio, lang, name, now, sources), workers_view(lang, now))


def _mark(name: str, now: dict[str, Any], evaluated: int) -> str:
    steered = f"{len(now['steered'])}/{now['steer']}"
    return f"{name}/{now['status']}/{evaluated}/{steered}" + ("/workers" if has_workers(now) else "")


def _verdict(lang: Lang, compared: Mapping[str, Any]) -> str:
    """The report in a sentence of Markdown."""
    if "best_source" in compared:
        compared = {**compared, "best_source": markdown_text(compared["best_source"])}
    return report_verdict(lang, compared)


def headline(studio: Studio, lang: Lang, name: str, now: dict[str, Any], sources: int) -> Markup:
    """Where the run stands in words, and a bar, which is full where nothing more is to be made."""
    words: str | Markup
    if now["status"] == "queued":
        words = waiting_words(lang, runs_before(studio, name, now["before"]), now["before"])
    elif now["stuck"]:
        nothing_for = format_duration(lang, now["stuck"])
        if now["status"] == "reporting":
            words = t(lang, "stuck_reporting", time=nothing_for)
        else:
            words = t(lang, "stuck", done=now["done"], of=now["of"], time=nothing_for)
    elif now["status"] == "running":
        left = now["seconds_left"]
        words = (
            t(lang, "running_sources", sources=sources)
            if not now["done"]
            else t(lang, "running", done=now["done"], of=now["of"], left=format_duration(lang, left or 0))
        )
    elif now["report_rows"]:
        done, of = now["report_rows"]
        words = Markup("{} {} / {}").format(t(lang, "status_reporting"), done, of or "–")
    else:
        words = t(lang, f"status_{now['status']}")
    ended = now["status"] in ("reporting", "done")  # perhaps before its budget was used up
    notes = [worded(lang, stored_phrase(now["error"]))] if now["error"] else []
    notes += [stuck_note(lang, studio.runs / name)] if now["stuck"] else []
    notes += [accepted_note(lang, statement) for statement in now["accepted"]]
    notes += steering_notes(lang, now)
    if now["truncated"]:
        notes.append(t(lang, "truncated", captions=", ".join(now["truncated"][:5])))
    return Markup(
        '<div class="headline"><p><b>{0}</b> <span aria-live="polite">{1}</span></p>'
        '<progress value="{2}" max="{3}" aria-label="{4}">{2} / {3}</progress><p class="quiet">{5}</p></div>'
    ).format(
        name,
        words,
        max(1, now["done"]) if ended else now["done"],
        max(1, now["done"] if ended else now["of"]),
        t(lang, "progress"),
        Markup(" ").join(notes),
    )


def stuck_note(lang: Lang, folder: Path) -> Markup:
    """Say what to do about a run that is stuck."""
    command = Markup("<code>m2n2 evolve --resume --out {}</code>").format(folder)
    log = Markup("<code>{}</code>").format(folder / "run.log")
    return Markup(t(lang, "stuck_note")).format(command=command, log=log)


def unreadable(lang: Lang, runs: Sequence[UnreadableRun]) -> Markup:
    """List the runs that cannot be read, with the reason; nothing where there are none."""
    if not runs:
        return Markup()
    rows = Markup("").join(Markup("<li><b>{}</b> {}</li>").format(run.name, worded(lang, run.reason)) for run in runs)
    return Markup('<div class="quiet"><p>{}</p><ul>{}</ul></div>').format(t(lang, "unreadable_runs"), rows)


def foresight_lines(lang: Lang, found: Calibration | None, raced: RacingRecord | None) -> Markup:
    """Say how well the run foresees scores, and what it spares by them; empty where it does not look ahead."""
    said = [foresight_words(lang, found)] if found else []
    said += [racing_words(lang, raced)] if raced else []
    return Markup("").join(Markup('<p class="quiet">{}</p>').format(words) for words in said)


def settled_line(lang: Lang, everyone: Sequence[Individual], *, apart: bool) -> Markup:
    """Say that all who are alive look alike; empty where they do not. `apart`: the run keeps its models apart."""
    if not (alike := alive_alike(everyone)):
        return Markup("")
    advice = "" if apart else t(lang, "settled_apart", option=t(lang, "option_apart"))
    return Markup('<p class="quiet">{} {}</p>').format(t(lang, "settled", n=alike), advice)


def question(lang: Lang, found: Sequence[Mapping[str, str]]) -> Markup:
    """Ask why a run may go on with what is another than it was; empty where nothing is."""
    if not found:
        return Markup()
    sentences = [sentence(lang, Difference.model_validate(one)) for one in found]
    rows = Markup("").join(Markup("<li>{}</li>").format(one) for one in sentences)
    return Markup("<p>{}</p><ul>{}</ul><p>{}</p>").format(t(lang, "accept_ask"), rows, t(lang, "accept_choose"))


def results_header(lang: Lang) -> list[str]:
    """The columns of the held-out report."""
    return [t(lang, "model"), *(t(lang, f"kind_{kind}") for kind in KINDS), t(lang, "kind_cmmd")]


def results_table(lang: Lang, results: dict[str, Any], child: str | None, realism: dict[str, float]) -> list[list[str]]:
    """The held-out report: each source, the average, the child, with 95 % intervals; CMMD where it was measured."""
    rows = []
    for name, row in results.items():
        called = {"average": t(lang, "row_average"), "child": t(lang, "row_child", id=child)}.get(name, name)
        cells = [
            f"{format_score(row[kind]['mean'])}  ({format_score(row[kind]['low'])}–{format_score(row[kind]['high'])})"
            for kind in KINDS
        ]
        rows.append([called, *cells, f"{realism[name]:z.3f}" if name in realism else "–"])
    return rows


def _never_started(said: str, store: RunStore) -> bool:
    made = (store.folder / "run.yaml").stat().st_mtime
    return said == "new" and not is_called(store.state) and time.time() - made > STARTING
