"""Tiny networks that are no SDXL: folders of safetensors with numbers that can be followed by hand."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

LEFT = {
    "layers.10.attn.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    "layers.2.attn.weight": torch.tensor([[5.0, 6.0], [7.0, 8.0]]),
    "layers.2.mlp.bias": torch.tensor([1.0, 1.0, 1.0]),
    "head.weight": torch.tensor([10.0, 20.0]),
    "positions": torch.tensor([0, 1]),
}
RIGHT = {name: 2 * tensor + 1 for name, tensor in LEFT.items()}


def network(folder: Path, *parts: dict[str, torch.Tensor], **metadata: str) -> Path:
    """Write a network's folder: a file, or a file per part, with a configuration."""
    folder.mkdir(parents=True)
    for number, tensors in enumerate(parts, start=1):
        name = "model.safetensors" if len(parts) == 1 else f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        save_file({key: tensor.clone() for key, tensor in tensors.items()}, folder / name, metadata)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny"}))
    return folder
