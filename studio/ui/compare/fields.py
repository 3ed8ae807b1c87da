"""The fields of the page: what can be chosen in each view, and the parts that show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.i18n import Lang, t
from studio.ui.common import html
from studio.ui.picture_search.fields import SearchFields, lay_out_search

from .cells import AS_RUN, MOST_PROMPTS
from .choice import MOVED, NOISES, SIDE_BY_SIDE, VIEWS, Choice, Window
from .models import MOST

QUALITIES = (AS_RUN, "draft", "final")
_ROWS = {"models_row": ("matrix",), "tried_row": ("playground",), "better_row": ("playground",),
         "blend_row": ("blend",), "sliders_row": ("blend",), "expected_row": ("blend",),
         "captions_row": ("matrix", "blend")}  # fmt: skip


@dataclass(frozen=True)
class Fields:
    """Components by name: of a `Choice`, of what is chosen beside it, of `view.SHOWN`; and those of a search."""

    run: gr.Dropdown
    choice: dict[str, Any]
    beside: gr.Slider
    attempt: gr.Textbox
    rows: dict[str, Any]
    shown: dict[str, Any]
    buttons: dict[str, Any]
    search: SearchFields

    @property
    def all(self) -> dict[str, Any]:
        """Every component that handlers fill, by name."""
        return {"run": self.run, "beside": self.beside, "attempt": self.attempt, **self.choice, **self.rows,
                **self.shown, **self.buttons}  # fmt: skip

    @property
    def asked(self) -> dict[str, Any]:
        """The components whose values say what to show."""
        return {"run": self.run, "beside": self.beside, "window": self.shown["window"], **self.choice}


def rows_of(view: str) -> dict[str, Any]:
    """Return which rows of fields are seen in a view."""
    return {name: gr.update(visible=view in views) for name, views in _ROWS.items()}


def sliders_of(lang: Lang, moved: str) -> dict[str, Any]:
    """Return the sliders of a blend: one where both parts move together."""
    key = "blend_share" if moved == "both" else "blend_attention"
    return {"attention": gr.update(label=t(lang, key)), "rest": gr.update(visible=moved != "both")}


def lay_out(lang: Lang) -> Fields:
    """Lay the page out."""
    rows: dict[str, Any] = {}
    plain, buttons = Choice(), dict[str, Any]()
    choice: dict[str, Any] = {"tried": gr.State(())}
    shown: dict[str, Any] = {"grid": gr.State(None), "window": gr.State(Window()), "laid": gr.State(())}
    with gr.Row(elem_classes="bar"):
        run = gr.Dropdown([], label=t(lang, "run"), scale=2)
        choice["view"] = gr.Radio(
            [(t(lang, f"view_{view}"), view) for view in VIEWS], value=plain.view, label=t(lang, "view"), scale=3,
            elem_id="view",
        )  # fmt: skip
        choice["quality"] = gr.Dropdown(
            [(t(lang, f"quality_{one}"), one) for one in QUALITIES], value=AS_RUN, label=t(lang, "quality"), scale=1
        )
    with gr.Row(elem_classes="bar") as rows["models_row"]:
        choice["models"] = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST,
            allow_custom_value=True,
            label=t(lang, "models"),
            info=t(lang, "models_info", most=MOST),
            scale=8,
            elem_id="models",
        )
        buttons["shortlist"] = gr.Button(t(lang, "shortlist_fill"), min_width=140, scale=1, elem_id="shortlist-fill")
        buttons["more"] = gr.Button(t(lang, "more_like_these"), min_width=240, scale=1, elem_id="more")
    buttons["begun"] = gr.HTML(visible=False, elem_id="begun")
    with gr.Row(elem_classes="bar", visible=False) as rows["tried_row"]:
        attempt = gr.Textbox(
            label=t(lang, "try_prompt"), info=t(lang, "try_prompt_info"), placeholder="金継ぎの茶碗", max_lines=1,
            scale=8, elem_id="try", elem_classes="needs-editor",
        )  # fmt: skip
        buttons["try"] = gr.Button(t(lang, "try_it"), variant="primary", min_width=120, scale=1, elem_id="try-it")
    with gr.Column(visible=False) as rows["better_row"]:
        search = lay_out_search(lang)
    with gr.Row(elem_classes="bar", visible=False) as rows["blend_row"]:
        for name in ("first", "second"):
            choice[name] = gr.Dropdown([], label=t(lang, f"blend_{name}"), scale=2, elem_id=f"blend-{name}")
        choice["moved"] = gr.Radio(
            [(t(lang, f"moved_{moved}"), moved) for moved in MOVED], value=plain.moved, label=t(lang, "moved"), scale=3,
            elem_id="moved",
        )  # fmt: skip
    with gr.Row(elem_classes="bar", visible=False) as rows["sliders_row"]:
        for name in ("attention", "rest"):
            choice[name] = gr.Slider(
                0, 100, getattr(plain, name), step=5, scale=2,
                label=t(lang, "blend_share" if name == "attention" else "blend_rest"),
                visible=name == "attention", elem_id=f"blend-{name}",
            )  # fmt: skip
        buttons["save"] = gr.Button(t(lang, "blend_save"), min_width=140, elem_id="save-blend")
        shown["saved"] = gr.DownloadButton(t(lang, "download_recipe"), visible=False, elem_id="saved-blend")
    with gr.Row(elem_classes="bar", visible=False) as rows["expected_row"]:
        shown["expected"] = gr.HTML(elem_id="blend-expected")
    with gr.Row(elem_classes="bar") as rows["captions_row"]:
        choice["known"] = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST_PROMPTS,
            label=t(lang, "from_set"),
            info=t(lang, "from_set_info"),
            scale=4,
            elem_id="known",
        )
        choice["ja"] = gr.Textbox(label=t(lang, "caption_ja"), placeholder="金継ぎの茶碗", scale=3, max_lines=1)
        choice["en"] = gr.Textbox(
            label=t(lang, "caption_en"), placeholder=t(lang, "twin_optional"), scale=3, max_lines=1
        )
    with gr.Row(elem_classes="bar"):
        choice["noises"] = gr.Slider(1, NOISES, plain.noises, step=1, label=t(lang, "noises_drawn"), elem_id="noises")
        beside = gr.Slider(1, SIDE_BY_SIDE, Window().beside, step=1, label=t(lang, "noises_beside"), elem_id="beside")
        buttons["scores"] = gr.Checkbox(label=t(lang, "show_scores"), elem_id="scores", min_width=120)
    with gr.Row(elem_classes="bar"):
        shown["draw"] = gr.Button(t(lang, "draw"), variant="primary", min_width=220, elem_id="draw")
        buttons["cancel"] = gr.Button(t(lang, "cancel"), variant="stop", elem_id="cancel", visible=False)
        shown["back"] = gr.Button(t(lang, "noise_back"), elem_id="noise-back", min_width=120)
        shown["noise"] = gr.HTML(elem_id="noise", min_height=24)
        shown["following"] = gr.Button(t(lang, "noise_next"), elem_id="noise-next", min_width=120)
        shown["make_sheet"] = gr.Button(t(lang, "contact_sheet"), elem_id="make-sheet")
        shown["sheet_png"] = gr.DownloadButton(t(lang, "sheet_png"), visible=False, elem_id="sheet-png")
        shown["sheet_html"] = gr.DownloadButton(t(lang, "sheet_html"), visible=False, elem_id="sheet-html")
    shown["drawing"] = gr.HTML(elem_id="drawing", min_height=24)
    with gr.Row(equal_height=False):
        # Beside what is laid over each other where there is room for both, else above it.
        with gr.Column(scale=7, min_width=960):
            shown["table"] = gr.HTML(
                html.empty_message(t(lang, "matrix_empty")),
                elem_id="sheet",
                min_height=380,
                js_on_load=_script("compare"),
            )
        with gr.Column(scale=4, min_width=320, elem_classes="flush"):
            buttons["how"] = gr.Radio(
                [(t(lang, f"overlay_{how}"), how) for how in ("handle", "turns")], value="handle",
                label=t(lang, "overlay"), info=t(lang, "overlay_info"), elem_id="overlay",
            )  # fmt: skip
            shown["slider"] = gr.ImageSlider(
                label=t(lang, "laid_over"), interactive=False, format="png", max_height=420, elem_id="over"
            )
            shown["flicker"] = gr.HTML(visible=False, elem_id="flicker", js_on_load=_script("flicker"))
            with gr.Row():
                shown["left"] = gr.Dropdown([], label=t(lang, "left_picture"), min_width=140)
                shown["right"] = gr.Dropdown([], label=t(lang, "right_picture"), min_width=140)
    buttons["arrived"] = gr.HTML(visible="hidden", elem_id="arrived", js_on_load=_script("arrivals"))
    shown["address"] = gr.HTML(visible="hidden", elem_id="address", js_on_load=_script("address"))
    return Fields(run, choice, beside, attempt, rows, shown, buttons, search)


def _script(name: str) -> str:
    return Path(__file__).with_name(f"{name}.js").read_text("utf-8")
