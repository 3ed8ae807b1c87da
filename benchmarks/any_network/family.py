"""Train the family: a base on both tasks, and from it one that adds better and one that spells better.

    python -m benchmarks.any_network.family FOLDER

Both see some of the other task again, and move little: so they stay near enough to each other to be merged.
"""

import sys
from pathlib import Path

import torch
import yaml

from . import score
from .score import TASKS, encoded

BATCH = 128
BASE = {"sums": 0.5, "spelling": 0.5}
BASE_STEPS, STEPS = 800, 150
SPECIALISTS = {"sums": {"sums": 0.9, "spelling": 0.1}, "spelling": {"sums": 0.1, "spelling": 0.9}}


def train(model: torch.nn.Module, shares: dict[str, float], *, steps: int, rate: float, seed: int) -> None:
    """Train on batches that hold a share of each task; only answers count. The rate falls to zero."""
    generator = torch.Generator().manual_seed(seed)
    tokens, answers = encoded([problem for task in TASKS.values() for problem in task["train"]])
    sizes = [len(task["train"]) for task in TASKS.values()]
    starts = [0, sizes[0]]
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        rows = torch.cat(
            [
                start + torch.randint(size, (round(BATCH * shares[task]),), generator=generator)
                for task, start, size in zip(TASKS, starts, sizes, strict=True)
            ]
        )
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
    train(model, BASE, steps=BASE_STEPS, rate=3e-3, seed=seed)
    model.save_pretrained(folder / "base")
    for name, shares in SPECIALISTS.items():
        specialist = score.LlamaForCausalLM.from_pretrained(folder / "base")
        train(specialist, shares, steps=STEPS, rate=1e-3, seed=seed + 1)
        specialist.save_pretrained(folder / name)
    run = {
        "kind": "any",
        "sources": list(SPECIALISTS),
        "chromosomes": {"attention": ["*.self_attn.*"], "feed_forward": ["*.mlp.*"]},
        "scorer": f"{score.__file__}:score",
        "reporter": f"{score.__file__}:unseen",
        "evaluations": 200,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run, sort_keys=False), "utf-8")
    return folder / "run.yaml"


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
