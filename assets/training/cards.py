"""Model cards and the tables of `assets/README.md`, written from `assets/family.json`.

Run `python -m assets.training.cards` after `assets.training.check_family`: no figure is copied by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

from assets.training import licences
from assets.training.clip import SCORERS as PLANS
from assets.training.family import SOURCES
from assets.training.settings import ASSETS, CATEGORIES, FAMILY, SCORERS

COLUMNS = [*CATEGORIES.values(), "mean"]
LANGUAGES = {"en": "English", "ja": "Japanese"}
BEGIN, END = "<!-- figures: written by assets.training.cards -->", "<!-- end of figures -->"

SOURCE_CARD = """---
license: {licence}
language:
{languages}
library_name: diffusers
pipeline_tag: text-to-image
tags:
- emoji
- stable-diffusion-xl
- m2n2-studio
---

# {title}

{about}

A tiny text-to-image model with the layout of SDXL: 64x64 pictures, a UNet of 4.4 million parameters, two CLIP text
encoders, an 8x8x8 VAE. One of a family of four that share the VAE, the tokenizer and the architecture, made so that
merging has something to win. It knows the names of emoji and nothing else.

```python
from diffusers import StableDiffusionXLPipeline

pipeline = StableDiffusionXLPipeline.from_pretrained("assets/family/{name}")
pipeline("{example}", num_inference_steps={steps}, guidance_scale={guidance}).images[0]
```

## How good it is at what

By the jury, on the {prompts} held-out prompts, through its own text encoders: the mean of max(cosine, 0), and in
brackets how often the right name is among the first five of all {names}.

{table}

Under the text encoders of `{host}`, as the studio uses it, in Japanese:

{hosted}

## Data

{data}

Licence of this folder: {licence}. See LICENSE for the notices.
"""

SCORER_CARD = """---
license: apache-2.0
language:
- en
- ja
library_name: open_clip
pipeline_tag: zero-shot-image-classification
tags:
- emoji
- m2n2-studio
---

# m2n2 emoji {name}

A bilingual CLIP for 64x64 pictures of emoji, {size:.1f} million parameters. {use}

```python
import open_clip

model, _, preprocess = open_clip.create_model_and_transforms("local-dir:assets/scorers/{name}")
tokenize = open_clip.get_tokenizer("local-dir:assets/scorers/{name}")
```

It was taught a grade, not only a choice: the cosine of a clean picture and its name is pulled towards 0.8, that of a
spoilt picture (mud, blur, noise, another picture shining through, shuffled tiles) towards less, that of nothing
towards zero. Seed {seed}, turns up to {turn} radians, sizes down to {smallest}.

## How good it is

Retrieval of the right caption among all {names}, on {kept_out} real pictures that it was not trained on (one style of
every fifth name), and mean scores max(cosine, 0):

{table}

## Data

All three picture styles (Noto Emoji, Apache-2.0; Twemoji, CC-BY-4.0; Fluent Emoji 3D, MIT) with Unicode CLDR names
in English and Japanese. See LICENSE for the notices.
"""

USES = {"judge": "Evolution is scored by it.", "jury": "It only reports: no merge is chosen by it."}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def numbers(values: dict[str, float]) -> list[str]:
    """One figure a category, and the mean."""
    return [f"{values[column]:.3f}" for column in COLUMNS]


def source_card(name: str, figures: dict) -> str:
    """The card of one source."""
    source, own = SOURCES[name], figures["cards"][name]
    rows = [
        [title, *(f"{own[tongue]['score'][c]:.3f} ({own[tongue]['top5'][c]:.2f})" for c in COLUMNS)]
        for tongue, title in LANGUAGES.items()
    ]
    return SOURCE_CARD.format(
        languages="\n".join(f"- {language}" for language in source.languages),
        name=name,
        title=source.title,
        licence=source.licence,
        about=source.about,
        example="イルカ" if name == "ja" else "dolphin",
        steps=figures["steps"],
        guidance=figures["guidance"],
        prompts=figures["held_out_prompts"],
        names=figures["names"],
        host=figures["host"],
        table=table(["language", *COLUMNS], rows),
        hosted=table(COLUMNS, [numbers(figures["sources"][name])]),
        data="\n".join(f"- {what}: {licence}" for what, licence in source.data),
    )


def scorer_card(name: str, figures: dict) -> str:
    """The card of one scorer."""
    own, plan = figures["scorers"][name], PLANS[name]
    keys = list(own["en"])
    rows = [[title, *(f"{own[tongue][key]:.3f}" for key in keys)] for tongue, title in LANGUAGES.items()]
    return SCORER_CARD.format(
        name=name,
        size=own["parameters"] / 1e6,
        use=USES[name],
        seed=plan.seed,
        turn=plan.turn,
        smallest=plan.smallest,
        names=figures["names"],
        kept_out=figures["kept_out_pictures"],
        table=table(["language", *keys], rows),
    )


def summary(figures: dict) -> str:
    """The tables of `assets/README.md`."""
    merged, average = figures["grid"]["held_out"], figures["average"]
    rows = [[name, *numbers(values)] for name, values in figures["sources"].items()]
    rows += [["uniform average", *numbers(average)], ["best merge of the grid", *numbers(merged)]]
    lines = [
        [name, f"{line['ends'][0]:.3f}", *(f"{value:.3f}" for value in line["between"]), f"{line['ends'][1]:.3f}"]
        for name, line in figures["lines"].items()
    ]
    scorers = [
        [name, title, *(f"{value:.3f}" for value in figures["scorers"][name][tongue].values())]
        for name in figures["scorers"]
        for tongue, title in LANGUAGES.items()
    ]
    order = ", ".join(figures["grid"]["order"])
    met = [f"- {'met' if met else '**not met**'}: {what}" for what, met in figures["requirements"].items()]
    return "\n\n".join(
        [
            f"Jury, Japanese captions, {figures['held_out_prompts']} held-out prompts, text encoders of "
            f"`{figures['host']}`:",
            table(["UNet", *COLUMNS], rows),
            f"Each category by its best source: {figures['per_category_best']:.3f}, which is "
            f"{figures['per_category_best'] / figures['sources'][figures['best_source']]['mean']:.2f} times the best "
            f"source (`{figures['best_source']}`). The best merge of {figures['grid']['merges']}, chosen by the judge "
            f"on the prompts of evolution, closes {figures['won']:.0%} of that gap; its weights ({order}): attention "
            f"{figures['grid']['attention']}, rest {figures['grid']['rest']}.",
            "Along straight lines (mean over categories):",
            table(["line", "0", *(f"{t:.2f}" for t in figures["line"]), "1"], lines),
            "What the family must hold:",
            "\n".join(met),
            "Scorers, on pictures they were not trained on:",
            table(["scorer", "language", *figures["scorers"]["jury"]["en"]], scorers),
        ]
    )


def replace_between(path: Path, text: str) -> None:
    """Put new figures between the two marks of a hand-written page."""
    page = path.read_text(encoding="utf-8")
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")


def main() -> None:
    """Write every card and licence, and the tables of the page."""
    figures = json.loads((ASSETS / "family.json").read_text(encoding="utf-8"))
    for name, source in SOURCES.items():
        (FAMILY / name / "README.md").write_text(source_card(name, figures), encoding="utf-8")
        (FAMILY / name / "LICENSE").write_text(licences.text(source.licence), encoding="utf-8")
    for name in PLANS:
        (SCORERS / name / "README.md").write_text(scorer_card(name, figures), encoding="utf-8")
        (SCORERS / name / "LICENSE").write_text(licences.text("apache-2.0"), encoding="utf-8")
    replace_between(ASSETS / "README.md", summary(figures))


if __name__ == "__main__":
    main()
