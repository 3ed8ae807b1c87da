"""The proof that the family can be merged and has something to win.

Run `python -m assets.training.check_family`. Everything is computed in float32 from the published half-precision
files, with the UNet of each source under the text encoders of `ja`, as the studio uses them. It writes
`assets/family.json`: the table of every source by category, straight lines between every two sources, a coarse grid
of weights with attention and the rest apart, and retrieval. It says in words whether the requirements are met.
"""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import open_clip
import torch
import yaml
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from assets.training.clip import SCORERS as PLANS
from assets.training.clip import image_features, kept_out, retrieval, text_features
from assets.training.data import names
from assets.training.family import SOURCES
from assets.training.loop import setup
from assets.training.sample import Sampler, mixed
from assets.training.settings import ASSETS, CATEGORIES, FAMILY, PROMPTS, SCORERS
from assets.training.unet import TextEncoders

log = logging.getLogger("assets.training")
HOST = "ja"
LINE = (1 / 3, 2 / 3)
GRID = (0.0, 0.25, 0.5, 0.75, 1.0)


def read_prompts(name: str) -> list[dict]:
    """The prompts of a set as they are in its file."""
    return yaml.safe_load((PROMPTS / f"{name}.yaml").read_text(encoding="utf-8"))["prompts"]


def read_scorer(name: str) -> open_clip.CLIP:
    """A published scorer in float32."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{SCORERS / name}", precision="fp32")
    return model.eval()


def read_unet(name: str) -> UNet2DConditionModel:
    """The UNet of a published source in float32."""
    unet = UNet2DConditionModel.from_pretrained(FAMILY / name / "unet", torch_dtype=torch.float32)
    return unet.eval().to(memory_format=torch.channels_last)


def read_sampler(name: str, **options: Any) -> Sampler:
    """Text encoders and VAE of a published source in float32."""
    text = TextEncoders().eval()
    text.text_encoder = CLIPTextModel.from_pretrained(FAMILY / name / "text_encoder", torch_dtype=torch.float32)
    second = CLIPTextModelWithProjection.from_pretrained(FAMILY / name / "text_encoder_2", torch_dtype=torch.float32)
    text.text_encoder_2 = second
    vae = AutoencoderKL.from_pretrained(FAMILY / name / "vae", torch_dtype=torch.float32).eval()
    return Sampler(text, vae, **options)


@dataclass
class Bench:
    """Scores a UNet on a prompt set in one language."""

    prompts: list[dict]
    sampler: Sampler
    scorer: open_clip.CLIP
    language: str = "ja"
    noises: int = 1

    @cached_property
    def category(self) -> np.ndarray:
        """The category of every prompt: str [prompts]."""
        return np.array([prompt["category"] for prompt in self.prompts])

    def scores(self, unet: UNet2DConditionModel) -> tuple[np.ndarray, np.ndarray]:
        """Mean of max(cosine, 0) and top-5 retrieval among all names, each float64 [prompts]."""
        captions = [prompt[self.language] for prompt in self.prompts]
        everything = text_features(self.scorer, [getattr(name, self.language) for name in names()])
        wanted = text_features(self.scorer, captions)
        scores, hits = [], []
        for seed in range(self.noises):
            seen = image_features(self.scorer, self.sampler.draw(unet, captions, seed))
            own = (seen * wanted).sum(1)
            scores.append(own.clamp(min=0))
            hits.append(((seen @ everything.T) > own[:, None] + 1e-6).sum(1) < 5)
        return torch.stack(scores).mean(0).double().numpy(), torch.stack(hits).double().mean(0).numpy()

    def by_category(self, values: np.ndarray) -> dict[str, float]:
        """Means per category, and their mean."""
        means = {key: float(values[self.category == key].mean()) for key in CATEGORIES.values()}
        return means | {"mean": float(np.mean(list(means.values())))}


def grid() -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights of attention and of the rest, in the order of `SOURCES`.

    Coarse: in each chromosome `ja` shares with the one other specialist that changes it.
    """
    order = list(SOURCES)
    ja, flat, real = (np.eye(len(order))[order.index(name)] for name in ("ja", "flat", "real"))
    return [(a * ja + (1 - a) * flat, r * ja + (1 - r) * real) for a, r in itertools.product(GRID, GRID)]


def own_tables(prompts: list[dict], jury: open_clip.CLIP) -> dict:
    """Every source through its own text encoders: language -> score and top5 -> category."""
    tables: dict = {}
    for name in SOURCES:
        tables[name] = {}
        for language in ("en", "ja"):
            bench = Bench(prompts, read_sampler(name), jury, language)
            scores, hits = bench.scores(read_unet(name))
            tables[name][language] = {"score": bench.by_category(scores), "top5": bench.by_category(hits)}
    return tables


def scorer_tables() -> dict:
    """Size and retrieval of both scorers, from their published files."""
    tables = {}
    for name in PLANS:
        scorer = read_scorer(name)
        tables[name] = retrieval(scorer) | {"parameters": sum(value.numel() for value in scorer.parameters())}
    return tables


def main() -> None:
    """Measure everything and write it down."""
    setup(0)
    held_out = Bench(read_prompts("held_out"), read_sampler(HOST), read_scorer("jury"))
    unets = {name: read_unet(name) for name in SOURCES}
    figures: dict = {"host": HOST, "steps": held_out.sampler.steps, "guidance": held_out.sampler.guidance}
    figures |= {"line": list(LINE), "scorer": "jury", "prompts": "held_out", "language": "ja"}

    def score(attention: np.ndarray, rest: np.ndarray, bench: Bench = held_out) -> dict[str, float]:
        return bench.by_category(bench.scores(mixed(list(unets.values()), attention, rest))[0])

    figures |= {"names": len(names()), "held_out_prompts": len(held_out.prompts)}
    figures |= {"kept_out_pictures": int(kept_out().sum()), "scorers": scorer_tables()}
    figures["cards"] = own_tables(held_out.prompts, held_out.scorer)

    corners = np.eye(len(unets))
    sources = {name: score(corner, corner) for name, corner in zip(unets, corners, strict=True)}
    figures["sources"] = sources
    best = max(sources, key=lambda name: sources[name]["mean"])
    ceiling = {key: max(table[key] for table in sources.values()) for key in CATEGORIES.values()}
    figures |= {"best_source": best, "per_category_best": float(np.mean(list(ceiling.values())))}
    log.info("sources %s", json.dumps(sources))

    figures["lines"] = {}
    for (first, one), (second, other) in itertools.combinations(zip(unets, corners, strict=True), 2):
        means = [score(way, way)["mean"] for way in ((1 - t) * one + t * other for t in LINE)]
        ends = sources[first]["mean"], sources[second]["mean"]
        figures["lines"][f"{first}-{second}"] = {"ends": ends, "between": means, "worst": min(means) / min(ends)}
        log.info("line %s-%s %s", first, second, figures["lines"][f"{first}-{second}"])

    figures["average"] = score(np.full(len(unets), 1 / len(unets)), np.full(len(unets), 1 / len(unets)))
    evolve = Bench(read_prompts("evolve"), held_out.sampler, read_scorer("judge"))
    graded = [(score(a, r, evolve)["mean"], a, r) for a, r in grid()]
    chosen, attention, rest = max(graded, key=lambda row: row[0])
    merged = score(attention, rest)
    figures["grid"] = {
        "merges": len(graded),
        "chosen_by": "judge on evolve",
        "judge": chosen,
        "order": list(unets),
        "attention": attention.tolist(),
        "rest": rest.tolist(),
        "held_out": merged,
    }
    gap = figures["per_category_best"] - sources[best]["mean"]
    figures["won"] = (merged["mean"] - sources[best]["mean"]) / gap
    leaders = {max(sources, key=lambda name: sources[name][key]) for key in CATEGORIES.values()}
    figures["requirements"] = {
        "no source is best everywhere": len(leaders) > 1,
        "per-category best is 15 % above the best source": figures["per_category_best"] >= 1.15 * sources[best]["mean"],
        "no line sinks by more than a tenth": all(line["worst"] >= 0.9 for line in figures["lines"].values()),
        "a merge beats every source": merged["mean"] > sources[best]["mean"],
        "a merge closes half the gap": figures["won"] >= 0.5,
    }
    (ASSETS / "family.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
