"""Sheets for somebody who does not know the captions: what do 40 pictures of a child and 40 of base show?

    python -m assets.training.naming CHILD FOLDER

CHILD is a folder that a child was exported to. The captions are 40 of the held-out ones, nearly as many of each
category. The child reads them in Japanese, base in English, both through their own text encoders, on the same noise.
`child.png` and `base.png` hold the pictures under numbers, each in an order of its own; `key.json` says what was asked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from PIL import Image, ImageDraw

from assets.training.check_family import CATEGORY_NAMES, HOST
from assets.training.loop import setup
from assets.training.published import read_text, read_unet
from assets.training.sample import Sampler
from assets.training.settings import PICTURE_SIZE, PROMPTS
from assets.training.vae import published_vae
from pipelines.untrusted import read_yaml

ASKED, COLUMNS = 40, 8
SHOWN, LABEL = 3 * PICTURE_SIZE, 24


def numbered(pictures: np.ndarray) -> Image.Image:
    """A sheet of pictures uint8 [n, 64, 64, 3], three times as large, each under its number."""
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SHOWN, rows * (SHOWN + LABEL)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        left, top = number % COLUMNS * SHOWN, number // COLUMNS * (SHOWN + LABEL)
        draw.text((left + SHOWN // 2, top + 4), str(number + 1), fill="black", font_size=16)
        shown = Image.fromarray(picture).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
        sheet.paste(shown, (left, top + LABEL))
    return sheet


def main(child: Path, folder: Path) -> None:
    """Draw both sheets and write the key."""
    prompts = read_yaml(PROMPTS / "held_out.yaml")["prompts"]
    turns = [[prompt for prompt in prompts if prompt["category"] == name] for name in CATEGORY_NAMES]
    asked = [row[turn] for turn in range(len(prompts)) for row in turns if turn < len(row)][:ASKED]
    unet = UNet2DConditionModel.from_pretrained(child / "unet", torch_dtype=torch.float32).eval()
    vae = published_vae()
    drawn = {
        "child": Sampler(read_text(HOST), vae).draw(unet, [one["ja"] for one in asked]),
        "base": Sampler(read_text("base"), vae).draw(read_unet("base"), [one["en"] for one in asked]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    key = {}
    for name, pictures in drawn.items():
        order = np.random.default_rng(len(name)).permutation(ASKED)
        numbered(pictures[order]).save(folder / f"{name}.png")
        key[name] = {number + 1: asked[row]["en"] for number, row in enumerate(order)}
    (folder / "key.json").write_text(json.dumps(key, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    setup(0)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
