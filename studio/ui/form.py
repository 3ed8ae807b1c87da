"""The Evolve page's form: its fields, the run they ask for, and what that run will take in time and disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import gradio as gr

import assets
from eval.catalogue import RECOMMENDED, REPORTER, SCORER
from pipelines.origins import name_of, open_origin, resolved
from pipelines.settings import PresetName, Settings
from studio.config import RunConfig, embedded, preset
from studio.errors import ConfigError
from studio.i18n import Lang, t
from studio.preflight import Preflight, measured_rate, preflight

from .shared import Studio

EMBEDDED = "embedded"  # stands for the shipped file or model in a field that also takes a path or a name
# One picture and denoising step of the embedded family on two CPU cores, scoring included; until a run tells better.
SECONDS_PER_STEP = 0.0055


@dataclass(frozen=True)
class Form:
    """The fields of the page, as they come from it."""

    sources: list[str]
    own: str
    host: str | None
    prompts: str
    held_out: str
    evaluations: float
    archive: float
    noises: float
    seed: float
    alpha: float
    angle: str
    pictures: PresetName
    steps: float  # 0: the preset's
    guidance: float  # 0: the preset's; 1 turns it off
    merge_text_encoders: bool
    scorer: str
    reporter: str

    @property
    def folders(self) -> list[str]:
        """The sources' folders: those ticked of the embedded family, then one's own."""
        own = [line.strip().strip('"') for line in self.own.splitlines() if line.strip()]
        return [str(assets.FAMILY / name) for name in assets.NAMES if name in self.sources] + own

    @property
    def names(self) -> list[str]:
        """What the sources are called."""
        return [name_of(folder) for folder in self.folders]

    @property
    def lender(self) -> str | None:
        """Who lends what is not merged: the one chosen, else `ja`, else the first."""
        if self.host in self.names:
            return self.host
        return "ja" if "ja" in self.names else next(iter(self.names), None)

    @property
    def settings(self) -> Settings:
        """How pictures are drawn: the preset for the first source, with what was changed of it."""
        drawn = preset(self.pictures, open_origin(self.folders[0]))
        changes = {"steps": self.steps, "guidance": self.guidance}
        return drawn.model_copy(update={field: value for field, value in changes.items() if value})

    def config(self) -> RunConfig:
        """The run that this form asks for.

        Raises:
            ConfigError: fewer than two sources, or a value out of its range.
        """
        if len(self.folders) < 2:
            raise ConfigError(f"Expected at least two sources to merge, found {len(self.folders)}. Tick another one.")
        named = {
            "prompts": self.prompts,
            "held_out": self.held_out,
            "scorer": self.scorer,
            "reporter": self.reporter,
        }
        return embedded(
            sources=tuple(resolved(folder) for folder in self.folders),
            host={"default": self.lender},
            evaluations=self.evaluations,
            archive=self.archive,
            noises=self.noises,
            seed=self.seed,
            alpha=self.alpha,
            angle=self.angle,
            merge_text_encoders=self.merge_text_encoders,
            pictures=self.settings.model_dump(),
            **({"scorer": SCORER, "reporter": REPORTER} if self.own.strip() else {}),
            **{field: value.strip() for field, value in named.items() if value and value.strip() != EMBEDDED},
        )

    def check(self) -> RunConfig:
        """The run, once sources and prompt sets have been opened.

        Raises:
            M2N2Error: a source or a prompt set cannot be opened, or they do not go together.
        """
        config = self.config()
        config.open_sources()
        for prompts in (config.niches(), config.report_prompts()):
            if set(prompts.languages) != {"ja", "en"}:
                raise ConfigError(
                    f"Prompt set {prompts.name!r}: expected a Japanese and an English caption for every prompt, found "
                    "both only for some. Add the missing twins."
                )
        return config


def expect(studio: Studio, config: RunConfig) -> Preflight:
    """What a run will take; time from an earlier run over the same sources, else from what the embedded family takes.

    Raises:
        M2N2Error: a source, a prompt set or a scorer cannot be opened.
    """
    rate = measured_rate(studio.runs, config) or (SECONDS_PER_STEP if _is_embedded(config) else None)
    return preflight(config, config.open_sources(), folder=studio.runs, rate=rate)


def _is_embedded(config: RunConfig) -> bool:
    return all(Path(folder).parent == assets.FAMILY for folder in config.sources)


def fields_of(lang: Lang) -> dict[str, Any]:
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
                label=t(lang, "drawing"),
                info=t(lang, "pictures_info"),
            )
            fields["steps"] = gr.Slider(0, 50, 0, step=1, label=t(lang, "steps"), info=t(lang, "as_preset"))
            fields["guidance"] = gr.Slider(0, 12, 0, step=0.5, label=t(lang, "guidance"), info=t(lang, "as_preset"))
        with gr.Row():
            fields["host"] = gr.Dropdown(
                list(assets.NAMES), value="ja", label=t(lang, "host"), info=t(lang, "host_info")
            )
            fields["merge_text_encoders"] = gr.Checkbox(False, label=t(lang, "merge_text_encoders"))
        with gr.Row():
            for key in ("held_out", "scorer", "reporter"):
                fields[key] = _embedded_or_own(lang, key)
    return fields


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
