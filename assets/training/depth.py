"""Whether it matters where along the network a source has its share, or only how large it is.

    python -m assets.training.depth [EVALUATIONS]

CMA-ES looks for the best weights of all sources, once with one weight per source and chromosome, once with chromosomes
cut in four along the network and a weight for each part. The judge chooses, on the prompts of evolution; the jury
reports, on the held-out ones, with the difference of the two per prompt and its interval of 95 %. The outcome lies in
`assets/depth.json`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping

import cma
import numpy as np
import torch
from diffusers import UNet2DConditionModel

from assets.training.check_family import HOST, Bench
from assets.training.family import SOURCES
from assets.training.loop import setup
from assets.training.published import read_scorer, read_text, read_unet
from assets.training.sample import Sampler
from assets.training.settings import ASSETS, DEVICE, FAMILY, PROMPTS
from assets.training.vae import published_vae
from pipelines.checkpoints.sources import open_source
from pipelines.untrusted import read_yaml

log = logging.getLogger("assets.training")
EVALUATIONS = 400
PARTS = (1, 4)
START, SIGMA = 0.5, 1 / 6
RESAMPLED = 10_000


class Stack:
    """All UNets of the family, to be mixed with one row of weights per group of tensors.

    Args:
        unets: by name.
        parts: how many parts each chromosome is cut into, as nearly equal as whole tensors allow.
    """

    def __init__(self, unets: Mapping[str, UNet2DConditionModel], parts: int) -> None:
        states = [unet.state_dict() for unet in unets.values()]
        self._tensors = {key: torch.stack([state[key] for state in states]) for key in states[0]}
        self._child = UNet2DConditionModel.from_config(next(iter(unets.values())).config).eval()
        self._child.to(DEVICE, memory_format=torch.channels_last)
        self._group: dict[str, int] = {}
        layouts = open_source(FAMILY / "base").components["unet"].layouts
        for number, layout in enumerate(layouts.values()):
            middles = layout.stops - np.diff(layout.stops, prepend=0) / 2
            for name, middle in zip(layout.names, middles, strict=True):
                self._group[name] = number * parts + int(parts * middle / layout.size)
        self.groups = parts * len(layouts)

    def mixed(self, weights: np.ndarray) -> UNet2DConditionModel:
        """The weighted sum; `weights` float [groups, sources], whose rows add up to 1; always the same model."""
        rows = torch.from_numpy(weights).float().to(DEVICE)
        sums = {key: torch.tensordot(rows[self._group[key]], held, 1) for key, held in self._tensors.items()}
        self._child.load_state_dict(sums)
        return self._child


def search(stack: Stack, sources: int, bench: Bench, evaluations: int) -> tuple[np.ndarray, float]:
    """The best weights float [groups, sources] that CMA-ES finds, and their score."""
    options = {"bounds": [0, 1], "seed": 1, "verbose": -9}
    strategy = cma.CMAEvolutionStrategy([START] * stack.groups * sources, SIGMA, options)
    best, highest, drawn = np.full((stack.groups, sources), 1 / sources), 0.0, 0
    while drawn < evaluations:
        asked = strategy.ask()
        scores = []
        for genome in asked:
            rows = genome.reshape(stack.groups, sources) + 1e-9
            weights = rows / rows.sum(axis=1, keepdims=True)
            scores.append(float(bench.scores(stack.mixed(weights)).mean()))
            if scores[-1] > highest:
                best, highest = weights, scores[-1]
        strategy.tell(asked, [-score for score in scores])
        drawn += len(asked)
        log.info("%d groups, %d evaluations: best %.4f", stack.groups, drawn, highest)
    return best, highest


def main(evaluations: int) -> None:
    """Search twice, and write down what either found."""
    setup(0)
    sampler = Sampler(read_text(HOST), published_vae())
    prompts = {name: read_yaml(PROMPTS / f"{name}.yaml")["prompts"] for name in ("evolve", "held_out")}
    judged = Bench(prompts["evolve"], sampler, read_scorer("judge"))
    reported = Bench(prompts["held_out"], sampler, read_scorer("jury"))
    unets = {name: read_unet(name) for name in SOURCES}
    figures: dict = {"evaluations": evaluations, "order": list(unets)}
    found = []
    for parts in PARTS:
        stack = Stack(unets, parts)
        weights, score = search(stack, len(unets), judged, evaluations)
        found.append(reported.scores(stack.mixed(weights)))
        figures[f"parts {parts}"] = {
            "weights": weights.round(3).tolist(),
            "judge": score,
            "jury": float(found[-1].mean()),
        }
    apart = found[1] - found[0]
    draws = np.random.default_rng(0).choice(apart, (RESAMPLED, len(apart))).mean(1)
    figures["gained"] = {"mean": float(apart.mean()), "interval": np.quantile(draws, (0.025, 0.975)).tolist()}
    (ASSETS / "depth.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVALUATIONS)
