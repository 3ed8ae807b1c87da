"""What the family can do, and what it leaves to a search.

Run `python -m assets.training.check_family` for `assets/family.json`. Everything is computed in float32 from what was
published in half precision, with every UNet under the text encoders of `ja`, as the studio uses them: every source by
category, also through its own encoders; straight lines between every two; the uniform average; random weightings.
And what the scorers give to pictures of every kind.
"""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import open_clip
import torch
from diffusers import UNet2DConditionModel

from assets.training.data import names
from assets.training.family import SOURCES
from assets.training.judges import PLANS
from assets.training.loop import setup
from assets.training.measure import image_features, measure, text_features
from assets.training.published import read_scorer, read_text, read_unet
from assets.training.sample import Sampler
from assets.training.settings import ASSETS, CATEGORIES, DEVICE, PAIRS, PROMPTS
from assets.training.vae import published_vae
from assets.training.views import as_tensor
from pipelines.untrusted import read_yaml

log = logging.getLogger("assets.training")
HOST = "ja"
LINE = (1 / 3, 2 / 3)
RANDOM = 20
CATEGORY_NAMES = (*CATEGORIES.values(), PAIRS)


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

    def scores(self, unet: UNet2DConditionModel) -> np.ndarray:
        """max(cosine, 0) of every prompt: float64 [prompts]."""
        cosines = (self._seen(unet) * text_features(self.scorer, self._captions)).sum(1)
        return cosines.clamp(min=0).double().cpu().numpy()

    def tables(self, unet: UNet2DConditionModel) -> dict[str, dict[str, float]]:
        """Mean of max(cosine, 0), and how often the caption is among the first five of all, by category."""
        others = [getattr(name, self.language) for name in names()]
        everything = text_features(self.scorer, [*self._captions, *others])
        cosines = self._seen(unet) @ everything.T
        own = cosines.diagonal()
        hits = ((cosines > own[:, None] + 1e-6).sum(1) < 5).double().cpu().numpy()
        return {
            "score": self._by_category(own.clamp(min=0).double().cpu().numpy()),
            "top5": self._by_category(hits),
        }

    @cached_property
    def _captions(self) -> list[str]:
        return [prompt[self.language] for prompt in self.prompts]

    def _seen(self, unet: UNet2DConditionModel) -> torch.Tensor:
        """Features of what it draws of every prompt: unit vectors float32 [prompts, 128]."""
        return image_features(self.scorer, as_tensor(self.sampler.draw(unet, self._captions)))

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
    vae = published_vae()
    held_out = Bench(prompts, Sampler(read_text(HOST), vae), jury)
    unets = {name: read_unet(name) for name in SOURCES}
    figures: dict = {"host": HOST, "scorer": "jury", "held_out_prompts": len(prompts), "steps": held_out.sampler.steps}
    figures["scorers"] = {name: sum(value.numel() for value in read_scorer(name).parameters()) for name in PLANS}
    figures["judged"] = {name: measure(read_scorer(name)) for name in PLANS}
    figures["cards"] = {
        name: {
            tongue: Bench(prompts, Sampler(read_text(name), vae), jury, tongue).tables(unets[name])
            for tongue in ("en", "ja")
        }
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
