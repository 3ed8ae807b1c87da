"""Train the family: a base on both tasks, and from it one that adds better and one that spells better.

    python -m benchmarks.any_network.family FOLDER

Each sees its own task only and forgets much of the other, but slowly, at a tenth of the base's rate: so the two stay
near enough to each other to be merged.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml

from . import score
from .score import TASKS, encoded

BATCH = 128
BASE_STEPS, STEPS = 1100, 1600


def train(model: torch.nn.Module, tasks: Sequence[str], *, steps: int, rate: float, seed: int) -> None:
    """Train on problems of these tasks, as many of each; only answers count. The rate falls to zero."""
    generator = torch.Generator().manual_seed(seed)
    tokens, answers = encoded([problem for task in tasks for problem in TASKS[task]["train"]])
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        rows = torch.randint(len(tokens), (BATCH,), generator=generator)
        seen, asked = tokens[rows], answers[rows]
        logits = model(seen[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits[asked[:, 1:]], seen[:, 1:][asked[:, 1:]])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def make(folder: Path, *, seed: int = 0) -> Path:
    """Write `base`, `sums` and `spelling` as folders of safetensors, and a run file over the latter two."""
    torch.manual_seed(seed)
    model = score.LlamaForCausalLM(score.CONFIG)
    train(model, list(TASKS), steps=BASE_STEPS, rate=3e-3, seed=seed)
    model.save_pretrained(folder / "base")
    for name in TASKS:
        specialist = score.LlamaForCausalLM.from_pretrained(folder / "base")
        train(specialist, [name], steps=STEPS, rate=3e-4, seed=seed + 1)
        specialist.save_pretrained(folder / name)
    run = {
        "kind": "any",
        "sources": list(TASKS),
        "chromosomes": {"attention": ["*.self_attn.*"], "feed_forward": ["*.mlp.*"]},
        "scorer": f"{score.__file__}:score",
        "reporter": f"{score.__file__}:unseen",
        "evaluations": 200,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run, sort_keys=False), "utf-8")
    return folder / "run.yaml"


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
