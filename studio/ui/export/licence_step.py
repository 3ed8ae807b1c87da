"""The step of the Export page about licences: tables, what is ticked as read, credit, and what somebody states."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from studio.i18n import Lang, t
from studio.licences import ledger

from . import licences


class LicenceFields(NamedTuple):
    """The components of the step, in the order in which `shown` fills them."""

    rows: gr.Dataframe
    permissions: gr.Dataframe
    told: gr.HTML
    reason: gr.Textbox
    stated_by: gr.Textbox
    read: gr.CheckboxGroup
    credit: gr.Textbox


def licence_fields(lang: Lang) -> LicenceFields:
    """Lay the step out."""
    rows = gr.Dataframe(
        headers=[t(lang, key) for key in ("source_name", "licence", "gives", "duty")],
        label=t(lang, "licences"),
        interactive=False,
        wrap=True,
        column_widths=["12%", "20%", "34%", "34%"],
    )
    permissions = gr.Dataframe(
        headers=ledger.headers(lang), label=t(lang, "permissions"), interactive=False, wrap=True, elem_id="permissions"
    )
    told = gr.HTML(elem_id="licences-told")
    with gr.Row():
        reason = gr.Textbox(
            label=t(lang, "licence_reason"),
            info=t(lang, "licence_reason_info"),
            lines=2,
            max_lines=8,
            max_length=2000,
            scale=3,
            visible=False,
            elem_id="licence-reason",
        )
        stated_by = gr.Textbox(
            label=t(lang, "stated_by"), max_lines=1, max_length=200, scale=1, visible=False, elem_id="stated-by"
        )
    read = gr.CheckboxGroup([], label=t(lang, "read_first"), info=t(lang, "read_first_info"), elem_id="read")
    credit = gr.Textbox(
        label=t(lang, "attribution"), info=t(lang, "attribution_info"), lines=2, max_lines=8, elem_id="credit"
    )
    return LicenceFields(rows, permissions, told, reason, stated_by, read, credit)


def shown(lang: Lang, found: licences.Terms) -> list[Any]:
    """What the step shows of an individual's licences, in the order of `LicenceFields`."""
    barred = bool(found.clashes)
    return [
        found.rows,
        found.permissions,
        licences.told(lang, found),
        gr.Textbox(value="", visible=barred),
        gr.Textbox(value="", visible=barred),
        gr.CheckboxGroup(choices=found.warnings, value=[], visible=bool(found.warnings)),
        found.credit,
    ]
