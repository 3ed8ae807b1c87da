"""The fields of the Evolve page's form, by the names that `Form` has for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import gradio as gr

import assets
from eval.scorers.catalogue import RECOMMENDED
from pipelines.generation.settings import PresetName
from studio.i18n import Lang, t
from studio.judging.votes import steering_runs
from studio.ui.common.studio import Studio

from .form import APART, EMBEDDED, FITNESS, OPTIONS, TOGETHER


def fields_of(lang: Lang, studio: Studio) -> dict[str, Any]:
    """The form, by the fields of `Form`."""
    fields: dict[str, Any] = {}
    with gr.Row():
        fields["sources"] = gr.CheckboxGroup(list(assets.NAMES), value=list(assets.NAMES), label=t(lang, "sources"))
        fields["prompts"] = _embedded_or_own(lang, "prompts")
        fields["evaluations"] = gr.Slider(
            1,
            1000,
            200,
            step=1,
            label=t(lang, "evaluations"),
            info=t(lang, "evaluations_info"),
            elem_id="evaluations",
        )
    with gr.Accordion(t(lang, "own_checkpoints"), open=False):
        fields["own"] = gr.Textbox("", lines=3, label=t(lang, "own_folders"), info=t(lang, "own_folders_info"))
    with gr.Accordion(t(lang, "advanced"), open=False):
        with gr.Row():
            fields["archive"] = gr.Slider(2, 200, 20, step=1, label=t(lang, "archive_size"))
            fields["noises"] = gr.Slider(1, 8, 1, step=1, label=t(lang, "noises"))
            fields["seed"] = gr.Number(0, precision=0, minimum=0, label=t(lang, "seed"))
        with gr.Row():
            fields["alpha"] = gr.Slider(0, 3, 1, step=0.1, label=t(lang, "alpha"))
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
            fields["steps"] = gr.Slider(0, 50, 0, step=1, label=t(lang, "steps"), info=t(lang, "as_preset"))
            fields["guidance"] = gr.Slider(0, 12, 0, step=0.5, label=t(lang, "guidance"), info=t(lang, "as_preset"))
        with gr.Row():
            fields["host"] = gr.Dropdown(
                list(assets.NAMES), value="ja", label=t(lang, "host"), info=t(lang, "host_info")
            )
            fields["cross"] = gr.Dropdown(
                cross_choices(lang, assets.NAMES), value=TOGETHER, label=t(lang, "cross"), info=t(lang, "cross_info")
            )
            fields["merge_text_encoders"] = gr.Checkbox(False, label=t(lang, "merge_text_encoders"))
            fields["fitness"] = gr.Radio(
                [(t(lang, f"fitness_{name}"), name) for name in FITNESS],
                value="text",
                label=t(lang, "fitness"),
                info=t(lang, "fitness_info"),
            )
        with gr.Row():
            for key in ("held_out", "scorer", "reporter"):
                fields[key] = _embedded_or_own(lang, key)
        fields["options"] = gr.CheckboxGroup(
            [(t(lang, f"option_{name}"), name) for name in OPTIONS],
            value=[],
            label=t(lang, "options"),
            info=t(lang, "options_info"),
        )
    with gr.Row():
        fields["start"] = gr.Dropdown(
            former_runs(studio, lang), value="", label=t(lang, "start"), info=t(lang, "start_info"), elem_id="start"
        )
        fields["votes"] = gr.Dropdown(
            voted_runs(studio, lang), value="", label=t(lang, "votes"), info=t(lang, "votes_info"), elem_id="votes"
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
        *((t(lang, "start_run", name=name), str((studio.runs / name).resolve())) for name in studio.names()),
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


def _embedded_or_own(lang: Lang, key: str) -> gr.Dropdown:
    """A field that offers what comes with the studio, for scorers the recommended ones; takes a path or a name too."""
    offered = [(t(lang, f"{key}_embedded"), EMBEDDED)]
    if key in ("scorer", "reporter"):
        offered += [(f"{one.model} ({one.licence}, {one.bytes / 1e9:.1f} GB)", one.name) for one in RECOMMENDED]
    return gr.Dropdown(
        offered,
        value=EMBEDDED,
        label=t(lang, key),
        info=t(lang, f"{key}_info"),
        allow_custom_value=True,
    )
