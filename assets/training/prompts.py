"""The two prompt sets and their reference pictures.

Run `python -m assets.training.prompts`. Names that a 64-pixel picture cannot tell from a neighbour are left out, and
so are the ones that do not fit into the tokenizer's limit. Beside the names stand two things at once, in pairs that
nothing here was trained on.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from assets.training.colours import Phrase
from assets.training.data import Name, names, pictures
from assets.training.phrases import both, held_out_pairs, side_by_side
from assets.training.settings import CATEGORIES, PAIRS, PROMPTS, TOKENS
from assets.training.tokenizer import tokenizer
from eval.prompts.prompt_set import Prompt, PromptSet, to_yaml

SETS = {
    "evolve": ("emoji-evolve", "Emoji names, and pairs of them, that evolution is scored on.", 55),
    "held_out": ("emoji-held-out", "Other emoji names and pairs, for reports only; evolution uses none of them.", 80),
}
#: Pairs of each set.
PAIRED = {"evolve": 10, "held_out": 16}

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


def _pairs() -> dict[str, list[tuple[int, int]]]:
    """Pairs of each set, of names that are usable by themselves."""
    pool = held_out_pairs(sum(PAIRED.values()), [row for row, name in enumerate(names()) if usable(name)])
    return {"evolve": pool[: PAIRED["evolve"]], "held_out": pool[PAIRED["evolve"] :]}


def _prompt(folder: Path, id: str, category: str, phrase: Phrase, shown: np.ndarray) -> Prompt:
    """A prompt whose reference picture is written beside the set."""
    reference = f"references/{id}.png"
    Image.fromarray(shown).quantize(64).save(folder / reference, optimize=True)
    return Prompt(id=id, category=category, ja=phrase.ja, en=phrase.en, reference=reference)


def main() -> None:
    """Write both sets and the pictures."""
    folder = PROMPTS
    shutil.rmtree(folder / "references", ignore_errors=True)
    (folder / "references").mkdir()
    plain = pictures()[:, 0]
    for key, rows in chosen().items():
        title, about, _ = SETS[key]
        prompts = []
        for row in rows:
            name = names()[row]
            prompts.append(_prompt(folder, name.hexcode, name.category, Phrase(name.en, name.ja), plain[row]))
        for first, second in _pairs()[key]:
            one, other = names()[first], names()[second]
            shown = side_by_side(plain[first], plain[second])
            prompts.append(_prompt(folder, f"{one.hexcode}_{other.hexcode}", PAIRS, both(one, other), shown))
        written = to_yaml(PromptSet(name=title, description=about, prompts=tuple(prompts)))
        (folder / f"{key}.yaml").write_text(written, encoding="utf-8")
        print(title, len(prompts), ", ".join(str(prompt.en) for prompt in prompts))


if __name__ == "__main__":
    main()
