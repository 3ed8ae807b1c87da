"""The Evolve page's form: its fields, the run they ask for, and what that run will take in time and disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

import assets
from pipelines.generate import Settings
from pipelines.sources import open_source
from studio.config import EMBEDDED_PICTURES, RunConfig, embedded
from studio.errors import ConfigError
from studio.i18n import Lang, t
from studio.store import RunStore

from .shared import Studio

EMBEDDED = "embedded"  # stands for the shipped file or model in a field that also takes a path or a name
# One picture and denoising step of the embedded family on two CPU cores, scoring included; until a run tells better.
SECONDS_PER_STEP = 0.0055
KEPT = 0.85  # share of offspring that enter the archive, for estimates: only they are drawn in English too
PNG = 0.7  # bytes of a PNG per byte of its pixels


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
    steps: float
    guidance: float
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
        return [Path(folder).expanduser().name for folder in self.folders]

    @property
    def lender(self) -> str | None:
        """Who lends what is not merged: the one chosen, else `ja`, else the first."""
        if self.host in self.names:
            return self.host
        return "ja" if "ja" in self.names else next(iter(self.names), None)

    @property
    def batch(self) -> int:
        """Pictures drawn at once: many small ones of the embedded family, fewer of anything larger."""
        return Settings().batch if self.own.strip() else EMBEDDED_PICTURES.batch

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
            sources=tuple(str(Path(folder).expanduser().resolve()) for folder in self.folders),
            host={"default": self.lender},
            evaluations=self.evaluations,
            archive=self.archive,
            noises=self.noises,
            seed=self.seed,
            alpha=self.alpha,
            angle=self.angle,
            merge_text_encoders=self.merge_text_encoders,
            pictures={"steps": self.steps, "guidance": self.guidance, "batch": self.batch},
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


@dataclass(frozen=True)
class Estimate:
    """What a run will take: seconds (None before anything is known of such sources), bytes, and bytes free."""

    seconds: float | None
    size: int
    free: int


def estimate(studio: Studio, config: RunConfig, free: int) -> Estimate:
    """Time from the newest run over the same sources, else from what the embedded family takes on two cores."""
    pictures = len(config.niches()) * config.noises
    steps = config.evaluations * pictures * (1 + KEPT) * config.pictures.steps
    rate = _measured(studio, config) or (SECONDS_PER_STEP if _is_embedded(config) else None)
    kept = config.evaluations * KEPT + len(config.sources)
    size = kept * 2 * pictures * 3 * _side(config) ** 2 * PNG
    return Estimate(steps * rate if rate else None, int(size), free)


def _measured(studio: Studio, config: RunConfig) -> float | None:
    """Seconds per picture and step in the newest run over the same sources."""
    for name in studio.names():
        with studio.run(name) as store:
            if store.config.sources == config.sources and (found := _rate(store)):
                return found
    return None


def _rate(store: RunStore) -> float | None:
    offspring = [one for one in store.individuals() if not one.is_source and "ja" in one.scores]
    steps = sum(
        sum(values.size for kind, values in one.scores.items() if kind != "consistency") for one in offspring
    ) * store.config.pictures.steps  # fmt: skip
    return sum(one.seconds for one in offspring) / steps if steps else None


def _is_embedded(config: RunConfig) -> bool:
    return all(Path(folder).parent == assets.FAMILY for folder in config.sources)


def _side(config: RunConfig) -> int:
    """The side of a picture in pixels: as asked, else the model's own."""
    if config.pictures.size:
        return config.pictures.size
    folder = open_source(config.sources[0]).path
    unet = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    vae = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return int(unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1))


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
            fields["steps"] = gr.Slider(1, 50, EMBEDDED_PICTURES.steps, step=1, label=t(lang, "steps"))
            fields["guidance"] = gr.Slider(0, 12, EMBEDDED_PICTURES.guidance, step=0.5, label=t(lang, "guidance"))
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
    """A field that offers what comes with the studio, and takes a path or a name too."""
    return gr.Dropdown(
        [(t(lang, f"{key}_embedded"), EMBEDDED)],
        value=EMBEDDED,
        label=t(lang, key),
        info=t(lang, f"{key}_info"),
        allow_custom_value=True,
    )
