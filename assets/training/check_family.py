"""What the family can do, and what it leaves to a search.

Run `python -m assets.training.check_family` for `assets/family.json`. Everything is computed in float32 from what was
published in half precision, with every UNet under the text encoders of `ja`, as the studio uses them: every source by
category, also through its own encoders; straight lines between every two; the uniform average; random weightings.
"""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import open_clip
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from assets.training.data import names
from assets.training.family import SOURCES
from assets.training.judges import PLANS
from assets.training.loop import setup
from assets.training.measure import image_features, text_features
from assets.training.sample import Sampler
from assets.training.settings import ASSETS, CATEGORIES, DEVICE, FAMILY, PAIRS, PROMPTS, SCORERS
from assets.training.unet import TextEncoders
from assets.training.views import as_tensor
from pipelines.untrusted import read_yaml

log = logging.getLogger("assets.training")
HOST = "ja"
LINE = (1 / 3, 2 / 3)
RANDOM = 20
CATEGORY_NAMES = (*CATEGORIES.values(), PAIRS)


def read_scorer(name: str) -> open_clip.CLIP:
    """A scorer in float32."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{SCORERS / name}", precision="fp32")
    return model.eval()


def read_unet(name: str) -> UNet2DConditionModel:
    """The UNet of a source in float32."""
    form = SOURCES[name].form
    owner = name if form == "folder" else "base"
    unet = UNet2DConditionModel.from_pretrained(FAMILY / owner / "unet", torch_dtype=torch.float32)
    if form == "unet":
        unet.load_state_dict({key: value.float() for key, value in load_file(_file(name)).items()})
    if form == "lora":
        factors = {key: value.float() for key, value in load_file(_file(name)).items()}
        weights = unet.state_dict()
        for key in (key for key in factors if key.endswith(".lora_A.weight")):
            layer = key.removesuffix(".lora_A.weight")
            weights[f"{layer.removeprefix('unet.')}.weight"] += factors[f"{layer}.lora_B.weight"] @ factors[key]
        unet.load_state_dict(weights)
    return unet.eval().to(memory_format=torch.channels_last)


def _file(name: str) -> Path:
    return FAMILY / f"{name}.safetensors"


def read_sampler(name: str) -> Sampler:
    """Text encoders and VAE of a source in float32; those of base where it has none of its own."""
    folder = FAMILY / (name if SOURCES[name].form == "folder" else "base")
    text = TextEncoders().eval()
    text.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32)
    second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", torch_dtype=torch.float32)
    text.text_encoder_2 = second
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
    return Sampler(text, vae)


@dataclass
class Bench:
    """Scores a UNet on a prompt set in one language."""

    prompts: list[dict]
    sampler: Sampler
    scorer: open_clip.CLIP
    language: str = "ja"

    @cached_property
    def category(self) -> np.ndarray:
        """The category of every prompt: str [prompts]."""
        return np.array([prompt["category"] for prompt in self.prompts])

    def tables(self, unet: UNet2DConditionModel) -> dict[str, dict[str, float]]:
        """Mean of max(cosine, 0), and how often the caption is among the first five of all, by category."""
        captions = [prompt[self.language] for prompt in self.prompts]
        others = [getattr(name, self.language) for name in names()]
        everything = text_features(self.scorer, [*captions, *others])
        seen = image_features(self.scorer, as_tensor(self.sampler.draw(unet, captions)))
        cosines = seen @ everything.T
        own = cosines.diagonal()
        hits = ((cosines > own[:, None] + 1e-6).sum(1) < 5).double().cpu().numpy()
        return {
            "score": self._by_category(own.clamp(min=0).double().cpu().numpy()),
            "top5": self._by_category(hits),
        }

    def _by_category(self, values: np.ndarray) -> dict[str, float]:
        means = {key: float(values[self.category == key].mean()) for key in CATEGORY_NAMES}
        return means | {"mean": float(np.mean(list(means.values())))}


def mixed(unets: list[UNet2DConditionModel], weights: np.ndarray) -> UNet2DConditionModel:
    """A weighted sum of UNets; weights float [unets]."""
    child = UNet2DConditionModel.from_config(unets[0].config)
    states = [unet.state_dict() for unet in unets]
    child.load_state_dict(
        {
            key: sum(float(weight) * state[key].double() for weight, state in zip(weights, states, strict=True)).float()
            for key in states[0]
        }
    )
    return child.eval().to(DEVICE, memory_format=torch.channels_last)


def main() -> None:
    """Measure everything and write it down."""
    setup(0)
    prompts = read_yaml(PROMPTS / "held_out.yaml")["prompts"]
    jury = read_scorer("jury")
    held_out = Bench(prompts, read_sampler(HOST), jury)
    unets = {name: read_unet(name) for name in SOURCES}
    figures: dict = {"host": HOST, "scorer": "jury", "prompts": "held_out", "steps": held_out.sampler.steps}
    figures["scorers"] = {name: sum(value.numel() for value in read_scorer(name).parameters()) for name in PLANS}
    figures["own"] = {
        name: {tongue: Bench(prompts, read_sampler(name), jury, tongue).tables(unets[name]) for tongue in ("en", "ja")}
        for name in SOURCES
    }
    figures["sources"] = sources = {name: held_out.tables(unet) for name, unet in unets.items()}
    log.info("sources %s", json.dumps(sources))

    def mean(weights: np.ndarray) -> float:
        return held_out.tables(mixed(list(unets.values()), weights))["score"]["mean"]

    corners = dict(zip(unets, np.eye(len(unets)), strict=True))
    figures["lines"] = {
        f"{first}-{second}": [mean((1 - part) * corners[first] + part * corners[second]) for part in LINE]
        for first, second in itertools.combinations(unets, 2)
    }
    figures["average"] = mean(np.full(len(unets), 1 / len(unets)))
    draws = np.random.default_rng(0).dirichlet(np.ones(len(unets)), RANDOM)
    figures["random"] = sorted(mean(weights) for weights in draws)
    best = max(sources, key=lambda name: sources[name]["score"]["mean"])
    ceiling = [max(table["score"][key] for table in sources.values()) for key in CATEGORY_NAMES]
    figures |= {"best_source": best, "per_category_best": float(np.mean(ceiling))}
    (ASSETS / "family.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
