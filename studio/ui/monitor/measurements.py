"""Exports and their measurements as the Monitor page shows them."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from pipelines.errors import M2N2Error
from studio.exporting import registry
from studio.exporting.certificate import PICTURES_FOLDER, BirthCertificate, score_arrays
from studio.exporting.registry import Export
from studio.formatting import format_duration, format_score
from studio.i18n import Lang, t, worded
from studio.monitoring.drift import Drift, baseline, drift
from studio.monitoring.remeasure import journal
from studio.monitoring.scheduler import GOING_ON, measurement_status, schedule_of
from studio.runs.picture_names import picture_file
from studio.stored_messages import stored_phrase
from studio.ui.common import html

SHOWN = 6  # prompts with pictures then and now
LONGEST = 400  # measurements in the plot, the newest
_COLOURS = {"ja": "#d55e00", "en": "#8aa4c0", "consistency": "#009e73"}


class ExportView(NamedTuple):
    """An export as the page shows it."""

    can_measure: bool
    going_on: bool
    progress: Markup
    verdict: Markup
    plot: pd.DataFrame
    pairs: Markup
    certificate: dict[str, Any]


def export_view(lang: Lang, export: Export) -> ExportView:
    """Read an export as the Monitor page shows it; of one without a certificate, the reason."""
    now = measurement_status(export)
    going_on = now["state"] in GOING_ON
    try:
        certificate, events = export.certificate, journal(export).events()
    except M2N2Error as error:
        said = html.empty_message(t(lang, "no_certificate"))
        nothing = pd.DataFrame(columns=["when", "change", "line"])
        return ExportView(False, going_on, Markup(""), said, nothing, Markup(""), {"error": worded(lang, error)})
    latest = drift(certificate, events) if events else None
    return ExportView(
        can_measure=not going_on,
        going_on=going_on,
        progress=progress(lang, export),
        verdict=_verdict(lang, certificate, latest),
        plot=over_time(lang, certificate, events),
        pairs=_pairs(lang, export, certificate, events, latest) if latest else Markup(""),
        certificate=certificate.model_dump(mode="json", exclude={"scores", "files", "prompts"}),
    )


def mark(export: Export) -> str:
    """What changes when the page should be drawn anew."""
    now = measurement_status(export)
    known = journal(export).path
    return f"{export.name}/{now['state']}/{known.stat().st_size if known.is_file() else 0}"


def progress(lang: Lang, export: Export) -> Markup:
    """How a measurement stands: what is in hand, how far, the time left."""
    now = measurement_status(export)
    state = now["state"]
    if state in ("none", "done"):
        return Markup("")
    if state != "running":
        words = t(lang, f"measure_{state}", before=now.get("before", 0))
        return Markup('<p aria-live="polite">{}</p><p class="quiet">{}</p>').format(
            words, worded(lang, stored_phrase(now.get("error", "")))
        )
    done, of = int(now["done"]), max(1, int(now["of"]))
    words = t(lang, f"measure_{now['stage']}", share=f"{done / of:.0%}", done=done, of=of)
    if now["stage"] == "pictures" and 0 < done < of:
        left = (time.time() - now["began"]) / done * (of - done)
        words += " · " + t(lang, "time_left", time=format_duration(lang, left))
    return Markup(
        '<p aria-live="polite">{0}</p><progress value="{1}" max="{2}" aria-label="{3}">{1} / {2}</progress>'
    ).format(words, done, of, t(lang, "measure"))


def _verdict(lang: Lang, certificate: BirthCertificate, latest: Drift | None) -> Markup:
    """The last measurement in a sentence, the means then and now, and what may be behind it."""
    if latest is None:
        return _panel("first", t(lang, "never_measured"), _means(lang, certificate), [])
    notes = [
        Markup("<code>{}</code>: {}").format(name, t(lang, "file_missing") if there == "missing" else there[:16])
        for name, there in latest.damaged.items()
    ]
    if latest.verdict in ("noise", "changed") and latest.environment:
        changed = ", ".join(f"{name} {then} → {now}" for name, (then, now) in latest.environment.items())
        notes.append(Markup("{}").format(t(lang, "other_environment", changed=changed)))
    if latest.noise is not None and latest.verdict != "damaged":
        sizes = ", ".join(f"{t(lang, f'kind_{kind}')} {size:.1e}" for kind, size in latest.noise.items())
        notes.append(Markup("{}").format(t(lang, "noise_is", sizes=sizes, repeats=latest.repeats)))
    sentence = t(lang, f"drift_{latest.verdict}")
    return _panel(latest.verdict, f"{sentence} ({_day(latest.when)})", _changes(lang, latest), notes)


def _panel(css: str, sentence: str, numbers: Markup, notes: list[Markup]) -> Markup:
    said = Markup("").join(Markup('<p class="quiet">{}</p>').format(note) for note in notes)
    return Markup('<div class="verdict {}"><p><b>{}</b></p>{}{}</div>').format(css, sentence, numbers, said)


def _means(lang: Lang, certificate: BirthCertificate) -> Markup:
    means = [(kind, float(rows.mean())) for kind, rows in score_arrays(certificate.scores).items()]
    cells = Markup(" · ").join(
        Markup('{} <b class="number">{}</b>').format(t(lang, f"kind_{kind}"), format_score(mean))
        for kind, mean in means
    )
    return Markup("<p>{}</p>").format(cells)


def _changes(lang: Lang, latest: Drift) -> Markup:
    cells = Markup(" · ").join(
        Markup('{} <span class="number">{} → <b>{}</b> ({})</span>').format(
            t(lang, f"kind_{kind}"), format_score(one.then), format_score(one.now), _difference(one.difference)
        )
        for kind, one in latest.means.items()
    )
    return Markup("<p>{}</p>").format(cells) if cells else Markup("")


def _difference(value: float) -> str:
    return f"{value:+.1e}" if value else "＝"


def _pairs(
    lang: Lang, export: Export, certificate: BirthCertificate, events: list[dict[str, Any]], latest: Drift
) -> Markup:
    """The prompts that changed most, with their pictures then and now."""
    if not latest.order:
        return Markup("")
    kept = events[-1].get("pictures", {})
    pairs = []
    for row in latest.order[:SHOWN]:
        prompt = certificate.prompts.prompts[row]
        strips = Markup("").join(
            html.figure(src, f"{t(lang, when)}: {text}", t(lang, when))
            for language, text in prompt.captions
            for when, src in (
                ("then", _then(export, prompt.id, language)),
                ("now", _now(export, kept.get(f"{prompt.id}-{language}"))),
            )
        )
        numbers = " · ".join(
            f"{t(lang, f'{kind}_short')} {rows[row]:+.1e}" for kind, rows in latest.prompts.items() if rows[row]
        )
        tile = '<article class="pair"><p>{}</p><div class="strip four">{}</div><p class="quiet">{}</p></article>'
        pairs.append(Markup(tile).format(html.both_captions(prompt), strips, numbers))
    return Markup('<h3 class="heading">{}</h3><div class="pairs wide">{}</div>').format(
        t(lang, "changed_most"), Markup("").join(pairs)
    )


def _then(export: Export, prompt: str, language: str) -> str | None:
    file = picture_file(export.documents / PICTURES_FOLDER, prompt, f"-{language}.webp")
    return f"/pictures/export/{quote(export.name)}/{PICTURES_FOLDER}/{quote(file.name)}" if file.is_file() else None


def _now(export: Export, place: str | None) -> str | None:
    return f"/pictures/export/{quote(export.name)}/{quote(place)}" if place else None


def over_time(lang: Lang, certificate: BirthCertificate, events: list[dict[str, Any]]) -> pd.DataFrame:
    """How far the mean scores have moved since birth, at every measurement, as rows of a line plot.

    Moves and not the scores themselves: those of languages lie so far apart that no drift would be seen.
    """
    before = {kind: float(values.mean()) for kind, values in score_arrays(baseline(certificate, events) or {}).items()}
    measured = [(datetime.fromisoformat(one["when"]), one["scores"]) for one in events if not one["damaged"]]
    rows = [
        (when, float(values.mean()) - before[kind], t(lang, f"kind_{kind}"))
        for when, scores in [(certificate.exported, certificate.scores), *measured[-LONGEST:]]
        for kind, values in score_arrays(scores).items()
        if kind in before
    ]
    return pd.DataFrame(rows, columns=["when", "change", "line"])


def span(plot: pd.DataFrame) -> list[float]:
    """The vertical axis of the plot: around nothing at all, and wide enough for what there is."""
    most = float(plot["change"].abs().max()) if len(plot) else 0.0
    return [-1.2 * most, 1.2 * most] if most else [-1e-3, 1e-3]


def colours(lang: Lang) -> dict[str, str]:
    """The colour of each line of the plot."""
    return {t(lang, f"kind_{kind}"): colour for kind, colour in _COLOURS.items()}


def legend(lang: Lang) -> Markup:
    """Which line of the plot is which."""
    entries = Markup("").join(
        Markup('<span><i style="background:{}"></i>{}</span>').format(colour, name)
        for name, colour in colours(lang).items()
    )
    return Markup('<div class="legend">{}</div>').format(entries)


def header(lang: Lang) -> list[str]:
    """The columns of the list of exports."""
    keys = ("export_name", "from_run", "exported_on", "ja_short", "en_short", "last_measured", "state", "schedule")
    return [t(lang, key) for key in keys]


def rows(lang: Lang, folder: Path) -> list[list[str]]:
    """Every export: where it comes from, scores at birth, the last measurement, whether it is in use."""
    used = registry.in_use(folder)
    found = []
    for export in registry.list_exports(folder):
        schedule = t(lang, f"schedule_{schedule_of(export)}")
        try:
            certificate, events = export.certificate, journal(export).events()
        except M2N2Error:
            found.append([export.name, "–", "–", "–", "–", "–", t(lang, "state_no_certificate"), schedule])
            continue
        means = {
            kind: float(values.mean()) for kind, values in score_arrays(baseline(certificate, events) or {}).items()
        }
        state = t(lang, f"state_{drift(certificate, events).verdict}") if events else t(lang, "state_never")
        last = _day(events[-1]["when"]) if events else "–"
        state = f"{t(lang, 'state_in_use')} · {state}" if export.name == used else state
        origin = f"{certificate.run} / {certificate.individual}"
        cells = [
            origin,
            _day(certificate.exported.isoformat()),
            format_score(means.get("ja")),
            format_score(means.get("en")),
        ]
        found.append([export.name, *cells, last, state, schedule])
    return found


def labels(lang: Lang, folder: Path) -> list[tuple[str, str]]:
    """The exports that can be chosen, (label, name)."""
    used = registry.in_use(folder)
    names = [export.name for export in registry.list_exports(folder)]
    return [(f"{name} ({t(lang, 'state_in_use')})" if name == used else name, name) for name in names]


def choices(folder: Path) -> list[list[str]]:
    """Which export was in use since when, newest first."""
    return [[_day(one["when"]), one["export"], one.get("former") or "–"] for one in registry.in_use_history(folder)]


def _day(when: str) -> str:
    return datetime.fromisoformat(when).astimezone().strftime("%Y-%m-%d %H:%M")
