"""The workers of a run that goes on: what each draws, how fast, what failed, what waiting costs; one more, one less."""

from __future__ import annotations

import datetime
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.execution import control
from studio.i18n import Lang, t, worded
from studio.jobs.worker_account import PoolStatus, WorkerFailure, WorkerStatus
from studio.jobs.worker_kinds import KindsCompared
from studio.stored_messages import stored_phrase
from studio.ui.common.frame import listen
from studio.ui.common.studio import Studio

SHOWN = 3  # failures, the newest first
COLUMNS = ("worker", "worker_device", "worker_doing", "worker_rate", "worker_idle")


def worker_buttons(lang: Lang, studio: Studio, chosen: gr.Dropdown) -> None:
    """Lay out a button that attaches a worker to the run that is chosen, and one that lets one go, and wire them."""
    with gr.Row(equal_height=True, elem_classes="needs-editor"):
        less = gr.Button(t(lang, "worker_less"), scale=0, min_width=220, elem_id="worker-less")
        more = gr.Button(t(lang, "worker_more"), scale=0, min_width=220, elem_id="worker-more")

    def changed(name: str, by: int) -> None:
        with studio.run(name) as store:
            count = control.change_workers(store, by)
        gr.Info(t(lang, "workers_wanted", n=count))

    listen(more.click, lang, lambda name: changed(name, 1), chosen, None, role="editor", does="attach a worker")
    listen(less.click, lang, lambda name: changed(name, -1), chosen, None, role="editor", does="let a worker go")


def has_workers(now: dict[str, Any]) -> bool:
    """Whether a run, as `summary.status` tells of it, has workers at this moment."""
    return bool(now.get("pool") and now["pool"]["workers"])


def workers_view(lang: Lang, now: dict[str, Any]) -> Markup:
    """Draw the workers of a run, as `summary.status` tells of them; nothing where it has none at this moment."""
    if not has_workers(now):
        return Markup()
    pool = PoolStatus.model_validate(now["pool"])
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(t(lang, name)) for name in COLUMNS)
    rows = Markup("").join(_row(lang, worker) for worker in pool.workers)
    table = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, rows)
    notes = Markup("").join(Markup('<p class="quiet">{}</p>').format(note) for note in _notes(lang, pool, now["kinds"]))
    return Markup('<div class="workers"><p class="heading">{}</p><p>{}</p>{}{}{}</div>').format(
        t(lang, "workers_now"), _summary(lang, pool), table, notes, _failures(lang, pool)
    )


def _summary(lang: Lang, pool: PoolStatus) -> str:
    if pool.per_minute is None:
        return t(lang, "workers_begin", n=len(pool.workers))
    return t(lang, "workers_sum", n=len(pool.workers), rate=f"{pool.per_minute:.1f}", idle=_share(pool.idle))


def _row(lang: Lang, worker: WorkerStatus) -> Markup:
    doing: str | Markup = t(lang, "worker_idle_now" if worker.doing == "idle" else f"worker_{worker.doing}")
    if worker.child:
        drawn = t(lang, "worker_draws", child=worker.child, done=worker.prompts, of=worker.of)
        bar = Markup('<progress value="{0}" max="{1}" aria-label="{2}">{0} / {1}</progress>')
        doing = Markup("{} {}").format(drawn, bar.format(worker.prompts, max(1, worker.of), drawn))
    if worker.leaving:
        doing = Markup("{} {}").format(doing, t(lang, "worker_leaving"))
    place = ", ".join(filter(None, (worker.node, worker.device, worker.dtype)))
    rate = "–" if worker.per_minute is None else f"{worker.per_minute:.1f}"
    return Markup(
        '<tr><th scope="row" class="number">{}</th><td>{}</td><td>{}</td><td class="number">{}</td>'
        '<td class="number">{}</td></tr>'
    ).format(worker.number, place or "–", doing, rate, _share(worker.idle))


def _notes(lang: Lang, pool: PoolStatus, kinds: dict[str, Any] | None) -> list[str]:
    notes = [t(lang, "workers_missing", n=pool.missing)] if pool.missing else []
    compared = KindsCompared.model_validate(kinds) if kinds else None
    for kind, difference in (compared.differences if compared else {}).items():
        assert compared is not None
        values = {"difference": f"{difference:.4f}", "tolerance": f"{compared.tolerance:.4f}"}
        notes.append(t(lang, "workers_kinds", kind=kind, reference=compared.reference, **values))
    return notes


def _failures(lang: Lang, pool: PoolStatus) -> Markup:
    if not pool.failures:
        return Markup()
    rows = Markup("").join(_failure(lang, one) for one in pool.failures[: -SHOWN - 1 : -1])
    return Markup('<p class="quiet">{}</p><ul class="quiet">{}</ul>').format(
        t(lang, "workers_failed", n=pool.failed), rows
    )


def _failure(lang: Lang, one: WorkerFailure) -> Markup:
    when = datetime.datetime.fromtimestamp(one.when).strftime("%H:%M:%S")
    reason = worded(lang, stored_phrase(one.reason))
    return Markup("<li>{} {}</li>").format(t(lang, "worker_failed", when=when, n=one.worker), reason)


def _share(idle: float | None) -> str:
    return "–" if idle is None else f"{idle:.0%}"
