"""What the published sources, their average and a child draw on the same captions and noise: `contact_sheet.webp`.

    python -m assets.training.contact_sheet CHILD

CHILD is a folder that a child was exported to. The captions are four of each category of the held-out prompts. Above,
each source reads them in English through its own text encoders; below, in Japanese through those of `ja`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from assets.training.check_family import CATEGORY_NAMES, HOST, mixed
from assets.training.family import SOURCES
from assets.training.loop import setup
from assets.training.published import read_text, read_unet
from assets.training.sample import Sampler, sheet
from assets.training.settings import PROMPTS
from assets.training.vae import published_vae
from pipelines.untrusted import read_yaml

SHEET = Path(__file__).with_name("contact_sheet.webp")
OF_A_CATEGORY = 4


def main(child: Path) -> None:
    """Draw eight rows in English and eight in Japanese."""
    prompts = read_yaml(PROMPTS / "held_out.yaml")["prompts"]
    rows = [[prompt for prompt in prompts if prompt["category"] == name][:OF_A_CATEGORY] for name in CATEGORY_NAMES]
    shown = [prompt for row in rows for prompt in row]
    unets = {name: read_unet(name) for name in SOURCES}
    unets |= {
        "average": mixed(list(unets.values()), np.full(len(unets), 1 / len(unets))),
        "child": UNet2DConditionModel.from_pretrained(child / "unet", torch_dtype=torch.float32).eval(),
    }
    host, vae = read_text(HOST), published_vae()
    own = {name: read_text(name) for name in SOURCES}
    drawn = [Sampler(own.get(name, host), vae).draw(unet, [one["en"] for one in shown]) for name, unet in unets.items()]
    drawn += [Sampler(host, vae).draw(unet, [one["ja"] for one in shown]) for unet in unets.values()]
    sheet(drawn, SHEET)


if __name__ == "__main__":
    setup(0)
    main(Path(sys.argv[1]))
