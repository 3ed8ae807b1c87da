"""The two prompt sets and their reference pictures.

Run `python -m assets.training.prompts`. Names that a 64-pixel picture cannot tell from a neighbour are left out, and
so are the ones that do not fit into the tokenizer's limit.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from assets.training.data import Name, names, pictures
from assets.training.settings import CATEGORIES, PROMPTS, TOKENS
from assets.training.tokenizer import tokenizer
from eval.prompts.prompt_set import Prompt, PromptSet, to_yaml

SETS = {
    "evolve": ("emoji-evolve", "Emoji names that evolution is scored on.", 65),
    "held_out": ("emoji-held-out", "Other emoji names, for reports only; none of them is used by evolution.", 96),
}

#: Words of names that come in series of look-alikes, or that ask for a detail of a few pixels.
# fmt: off
SERIES = {
    "arrival", "banknote", "behind", "book", "boot", "box", "broken", "calendar", "chart", "cityscape", "clinking",
    "cloud", "departure", "envelope", "face", "folder", "globe", "hammer", "hourglass", "key", "light", "locked",
    "lorry", "low", "mailbox", "medal", "moon", "note", "notebook", "notes", "office", "oncoming", "page", "post",
    "railway", "sandal", "shoe", "signal", "snowman", "speaker", "suit", "sun", "ticket", "tickets", "tilted",
    "train", "tram", "tray", "tree", "umbrella", "unlocked", "volume", "with", "without",
}
# fmt: on


def usable(name: Name) -> bool:
    """Whether a name is short, whole within the token limit and not one of a series."""
    fits = all(len(tokenizer()(caption, verbose=False).input_ids) <= TOKENS for caption in (name.en, name.ja))
    words = name.en.lower().replace("-", " ").split()
    return fits and len(words) <= 2 and not SERIES & set(words) and "（" not in name.ja


def chosen() -> dict[str, list[int]]:
    """Name numbers of each set, the categories in turn: no name in both."""
    generator = np.random.default_rng(2025)
    columns: dict[str, list[list[int]]] = {key: [] for key in SETS}
    for category in CATEGORIES.values():
        rows = [row for row, name in enumerate(names()) if name.category == category and usable(name)]
        order = iter(generator.permutation(rows).tolist())
        for key, (_, _, size) in SETS.items():
            columns[key].append([next(order) for _ in range(math.ceil(size / len(CATEGORIES)))])
    turns = {key: [row for turn in zip(*lists, strict=True) for row in turn] for key, lists in columns.items()}
    return {key: turns[key][:size] for key, (_, _, size) in SETS.items()}


def main() -> None:
    """Write both sets and the pictures."""
    references = PROMPTS / "references"
    references.mkdir(parents=True, exist_ok=True)
    for old in references.glob("*.png"):
        old.unlink()
    for key, rows in chosen().items():
        title, about, _ = SETS[key]
        prompts = []
        for row in rows:
            name = names()[row]
            picture = references / f"{name.hexcode}.png"
            Image.fromarray(pictures()[row, 0]).quantize(64).save(picture, optimize=True)
            prompts.append(
                Prompt(
                    id=name.hexcode,
                    category=name.category,
                    ja=name.ja,
                    en=name.en,
                    reference=f"references/{picture.name}",
                )
            )
        written = to_yaml(PromptSet(name=title, description=about, prompts=tuple(prompts)))
        (PROMPTS / f"{key}.yaml").write_text(written, encoding="utf-8")
        print(title, len(rows), ", ".join(names()[row].en for row in rows))


if __name__ == "__main__":
    main()
