"""Model cards, licences and the tables of `assets/README.md`, written from `assets/family.json`.

Run `python -m assets.training.cards` after `assets.training.check_family`: no figure is copied by hand.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from assets.training import licences
from assets.training.family import SOURCES
from assets.training.judges import PLANS, Scorer
from assets.training.settings import ASSETS, CATEGORIES, FAMILY, PAIRS, SCORERS

COLUMNS = [*CATEGORIES.values(), PAIRS, "mean"]
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
encoders, an 8x8x8 VAE. One of a family of six that came apart from one base by themselves. It knows the names of emoji,
some colours, and two things side by side, and nothing else. {how}

## How good it is at what

By the jury, on the held-out prompts, through its own text encoders (those of base where it has none): the mean of
max(cosine, 0), and in brackets how often the right caption is among the first five of all names and prompts.

{table}

Under the text encoders of `{host}`, as the studio uses it, in Japanese:

{hosted}

## Data

{data}

Licence: {licence}. See LICENSE for the notices.
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

## Data

Pictures by many artists with Unicode CLDR names in English and Japanese: Noto Emoji of two generations (Apache-2.0) and
as a font (OFL-1.1), Twemoji (CC-BY-4.0), Fluent Emoji in four styles (MIT), EmojiOne 2.2.7 and its plain icons
(CC-BY-4.0), FxEmojis by Mozilla (Apache-2.0), Streamline emojis (CC-BY-4.0). OpenMoji was only measured on.
"""

HOW = {
    "folder": "Open it with `StableDiffusionXLPipeline.from_pretrained(folder)`; Euler, 10 steps, guidance 3.",
    "unet": "Open base and load this UNet in the place of base's.",
    "lora": "Open base and load it with `pipeline.load_lora_weights(file)`.",
}
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
        title=source.title,
        licence=source.licence,
        about=source.about,
        how=HOW[source.form],
        host=figures["host"],
        table=table(["language", *COLUMNS], rows),
        hosted=table(COLUMNS, [numbers(figures["sources"][name]["score"])]),
        data="\n".join(f"- {what}: {licence}" for what, licence in source.data),
    )


def scorer_card(name: str, plan: Scorer, parameters: int) -> str:
    """The card of one scorer."""
    return SCORER_CARD.format(
        name=name,
        size=parameters / 1e6,
        use=USES[name],
        seed=plan.seed,
        turn=plan.turn,
        smallest=plan.smallest,
    )


def summary(figures: dict) -> str:
    """The tables of `assets/README.md`."""
    rows = [[name, *numbers(tables["score"])] for name, tables in figures["sources"].items()]
    means = {name: tables["score"]["mean"] for name, tables in figures["sources"].items()}
    ends = {line: line.split("-") for line in figures["lines"]}
    lines = [
        [line, f"{means[ends[line][0]]:.3f}", *(f"{value:.3f}" for value in between), f"{means[ends[line][1]]:.3f}"]
        for line, between in figures["lines"].items()
    ]
    best = figures["best_source"]
    judged = {(name, tongue): row for name, rows in figures["judged"].items() for tongue, row in rows.items()}
    kinds = next(iter(judged.values()))
    scores = [[kind, *(f"{row[kind]:.3f}" for row in judged.values())] for kind in kinds]
    return "\n\n".join(
        [
            f"Jury, Japanese captions, held-out prompts, every UNet under the text encoders of `{figures['host']}`:",
            table(["UNet", *COLUMNS], rows),
            f"Each category by its best source: {figures['per_category_best']:.3f}, which is "
            f"{figures['per_category_best'] / means[best]:.2f} times the best source (`{best}`). Uniform average "
            f"of the six: {figures['average']:.3f}. Random weightings, {len(figures['random'])} of them: median "
            f"{statistics.median(figures['random']):.3f}, best {max(figures['random']):.3f}.",
            "Along straight lines (mean over categories):",
            table(["line", "0", "1/3", "2/3", "1"], lines),
            "Scorers, on OpenMoji, by an artist of whom neither learnt: `top1` and `top5` are how often the right one "
            "of all names comes first, or among the first five; `damage` is the rank correlation of score and damage; "
            "`right` and `other` are means of max(cosine, 0) with the right name and any. `seen` is a style that both "
            "learnt, `composed` two things, `half true` one of them named wrong; the rest are pictures of nothing.",
            table(["", *(f"{name}, {LANGUAGES[tongue]}" for name, tongue in judged)], scores),
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
        folder = FAMILY / name
        folder.mkdir(exist_ok=True)  # a LoRA and a UNet alone lie beside it
        (folder / "README.md").write_text(source_card(name, figures), encoding="utf-8")
        (folder / "LICENSE").write_text(licences.text(source.licence), encoding="utf-8")
    for name, plan in PLANS.items():
        card = scorer_card(name, plan, figures["scorers"][name])
        (SCORERS / name / "README.md").write_text(card, encoding="utf-8")
        (SCORERS / name / "LICENSE").write_text(licences.text("apache-2.0"), encoding="utf-8")
    replace_between(ASSETS / "README.md", summary(figures))


if __name__ == "__main__":
    main()
