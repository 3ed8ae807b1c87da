"""The components of the form, by the names that `RunForm` has for its fields; a tick for each step beyond the paper.

What everybody chooses comes first. What goes beyond the paper is folded into one part, where each choice says what one
gets; what the paper leaves open is in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import gradio as gr

import assets
from eval.scorers.catalogue import FITNESS_SCORER, RECOMMENDED, REPORTING_SCORER
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import PresetName
from studio.i18n import Lang, t
from studio.jobs.device_queue import device_count
from studio.judging.votes import steering_runs
from studio.run_folders.labels import LONGEST_TITLE
from studio.ui.common.studio import Studio

from .form import APART, EMBEDDED, FITNESS, TOGETHER
from .form_options import BEYOND_THE_PAPER, NUMBERS, WORKERS, NumberOption

_NUMBERS = {one.field: one for one in NUMBERS}


def simple_fields(lang: Lang) -> dict[str, Any]:
    """Lay out what everybody chooses: sources, prompts, how long, a name."""
    fields: dict[str, Any] = {}
    with gr.Row():
        fields["sources"] = gr.CheckboxGroup(
            list(assets.NAMES), value=list(assets.NAMES), label=t(lang, "sources"), elem_id="sources"
        )
        fields["own"] = gr.Textbox(
            "", lines=2, label=t(lang, "own_folders"), info=t(lang, "own_folders_info"), elem_id="own"
        )
    with gr.Row():
        fields["prompts"] = _embedded_or_own(lang, "prompts")
        fields["evaluations"] = _number(lang, _NUMBERS["evaluations"], elem_id="evaluations")
        fields["name"] = gr.Textbox(
            "", label=t(lang, "run_name"), info=t(lang, "run_name_info"), max_length=LONGEST_TITLE, elem_id="run-name"
        )
        fields["fork"] = gr.Dropdown(
            forks(lang, ""),
            value="",
            label=t(lang, "fork_of"),
            info=t(lang, "fork_of_info"),
            visible=False,
            elem_id="fork-of",
        )
    return fields


def fields_beyond_the_paper(lang: Lang, studio: Studio) -> dict[str, Any]:
    """Lay out what goes beyond the paper, with what one gets of each."""
    fields: dict[str, Any] = {}
    gr.Markdown(t(lang, "options_info"), elem_classes="quiet")
    with gr.Row():
        fields["start"] = gr.Dropdown(
            former_runs(studio, lang), value="", label=t(lang, "start"), info=t(lang, "start_info"), elem_id="start"
        )
        fields["votes"] = gr.Dropdown(
            voted_runs(studio, lang), value="", label=t(lang, "votes"), info=t(lang, "votes_info"), elem_id="votes"
        )
        fields["fitness"] = gr.Radio(
            [(t(lang, f"fitness_{name}"), name) for name in FITNESS],
            value="text",
            label=t(lang, "fitness"),
            info=t(lang, "fitness_info"),
        )
        fields["cross"] = gr.Dropdown(
            cross_choices(lang, assets.NAMES), value=TOGETHER, label=t(lang, "cross"), info=t(lang, "cross_info")
        )
    with gr.Row(elem_classes="ticks"):
        for one in BEYOND_THE_PAPER:
            fields[one.field] = gr.Checkbox(False, label=t(lang, one.label), info=t(lang, one.gain), min_width=300)
        fields["merge_text_encoders"] = gr.Checkbox(
            False, label=t(lang, "merge_text_encoders"), info=t(lang, "merge_text_encoders_info"), min_width=300
        )
    return fields


def further_fields(lang: Lang) -> dict[str, Any]:
    """Lay out what the paper leaves open: sizes, seeds, how pictures are drawn, who lends, who judges."""
    fields: dict[str, Any] = {}
    with gr.Row():
        for key in ("archive", "noises", "seed"):
            fields[key] = _number(lang, _NUMBERS[key])
        fields["workers"] = _number(lang, WORKERS, elem_id="workers", value=device_count())
    with gr.Row():
        fields["alpha"] = _number(lang, _NUMBERS["alpha"])
        fields["angle"] = gr.Radio(
            [(t(lang, "angle_chromosome"), "chromosome"), (t(lang, "angle_tensor"), "tensor")],
            value="chromosome",
            label=t(lang, "angle"),
        )
        fields["pictures"] = gr.Radio(
            [(t(lang, f"pictures_{name}"), name) for name in get_args(PresetName)],
            value="standard",
            label=t(lang, "drawn_how"),
            info=t(lang, "pictures_info"),
        )
        for key in ("steps", "guidance"):
            fields[key] = _number(lang, _NUMBERS[key])
    with gr.Row():
        fields["host"] = gr.Dropdown(list(assets.NAMES), value="ja", label=t(lang, "host"), info=t(lang, "host_info"))
        fields["lent"] = gr.Textbox("", lines=1, label=t(lang, "lent"), info=t(lang, "lent_info"), elem_id="lent")
    with gr.Row():
        fields["prompt_syntax"] = gr.Radio(
            syntax_choices(lang), value=PLAIN, label=t(lang, "prompt_syntax"), info=t(lang, "prompt_syntax_info")
        )
        for key in ("held_out", "scorer", "reporter"):
            fields[key] = _embedded_or_own(lang, key)
    return fields


def syntax_choices(lang: Lang) -> list[tuple[str, PromptSyntax]]:
    """How prompts can be read."""
    return [(t(lang, f"syntax_{name}"), name) for name in get_args(PromptSyntax)]


def cross_choices(lang: Lang, names: Sequence[str]) -> list[tuple[str, str]]:
    """How cross-attention is bred, or whose it always is."""
    apart = [(t(lang, "cross_together"), TOGETHER), (t(lang, "cross_apart"), APART)]
    return [*apart, *((t(lang, "cross_from", name=name), name) for name in names)]


def forks(lang: Lang, folder: str) -> list[tuple[str, str]]:
    """Whose settings hold where the form says nothing: the run's that was forked, or nobody's."""
    return [*([(Path(folder).name, folder)] if folder else []), (t(lang, "fork_of_nobody"), "")]


def former_runs(studio: Studio, lang: Lang) -> list[tuple[str, str]]:
    """What a run can begin from: the sources alone, or the archive of a run there is."""
    return [
        (t(lang, "start_sources"), ""),
        *((t(lang, "start_run", name=name), str((studio.runs / name).resolve())) for name in studio.run_names()),
    ]


def voted_runs(studio: Studio, lang: Lang) -> list[tuple[str, str]]:
    """Whose votes can be niches: nobody's, or those on a run that has enough of them."""
    return [
        (t(lang, "votes_none"), ""),
        *(
            (t(lang, "votes_run", name=name), str((studio.runs / name).resolve()))
            for name in steering_runs(studio.runs)
        ),
    ]


def _number(
    lang: Lang, option: NumberOption, *, elem_id: str | None = None, value: float | None = None
) -> gr.Slider | gr.Number:
    """A slider as far as the option reaches, or a box where it has no end; opens with `value`, or its own."""
    value = option.default if value is None else value
    words: dict[str, Any] = {"label": t(lang, option.label), "info": t(lang, option.info) if option.info else None}
    if option.reach is None:
        return gr.Number(value, precision=0, elem_id=elem_id, **words)
    return gr.Slider(option.lowest, option.reach, value, step=option.step, elem_id=elem_id, **words)


def _embedded_or_own(lang: Lang, key: str) -> gr.Dropdown:
    """A field that offers what comes with the studio, for scorers the recommended ones; takes a path or a name too."""
    usual = {"scorer": FITNESS_SCORER, "reporter": REPORTING_SCORER}.get(key)
    offered = [(t(lang, f"{key}_embedded", **({"model": usual.short_name} if usual else {})), EMBEDDED)]
    if usual:
        offered += [(one.label, one.name) for one in RECOMMENDED]
    return gr.Dropdown(
        offered,
        value=EMBEDDED,
        label=t(lang, key),
        info=t(lang, f"{key}_info"),
        allow_custom_value=True,
        elem_id=key,
    )
