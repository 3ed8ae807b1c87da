"""Full-size SDXL checkpoints with random weights: real names, shapes and sizes, no meaning.

They stand in for real ones where size, speed and format are measured, or tried out:

    python -m benchmarks.full_size.checkpoints FOLDER 2      # FOLDER/random-1.safetensors and random-2, 6.9 GB each
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
from pathlib import Path

import accelerate
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from pipelines.architectures import sdxl, sdxl_single_file
from pipelines.architectures.keys import canonical_name
from pipelines.weaving.weave import FileEntry, weave_file

POOL = 1 << 26  # random values, used again and again from other places: 3.5 billion fresh ones would take minutes
SCALES = re.compile(r"(norm\d?|norm_out|ln_\w+|(in|out)_layers\.0|out\.0|layer_norm\d|final_layer_norm)\.weight$")
SIZE = 6_938_000_000  # bytes of a checkpoint
SPREAD = 0.02  # of the random weights; pictures come out as noise, but finite


def shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    """Canonical names and shapes of SDXL base, by component."""
    with accelerate.init_empty_weights():
        modules = {
            "unet": UNet2DConditionModel.from_config(sdxl.UNET),
            "vae": AutoencoderKL.from_config(sdxl.VAE),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**sdxl.TEXT_ENCODER)),
            "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**sdxl.TEXT_ENCODER_2)),
        }
    return {
        part: {canonical_name(part, key): tuple(tensor.shape) for key, tensor in module.state_dict().items()}
        for part, module in modules.items()
    }


def make(path: Path, seed: int) -> Path:
    """Write a single-file checkpoint in float16, 6.9 GB; a file that is there already is left alone."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < 2 * SIZE:
        raise SystemExit(
            f"{path.parent} has {free / 1e9:.0f} GB free; a checkpoint takes {SIZE / 1e9:.0f}. Try --folder."
        )
    generator = np.random.default_rng(seed)
    pool = torch.from_numpy((generator.standard_normal(POOL, dtype=np.float32) * SPREAD).astype(np.float16))
    entries = []
    for part, tensors in shapes().items():
        for tensor in sdxl_single_file.to_single_file(part, tensors):
            size = math.prod(tensor.shape)
            start = int(generator.integers(POOL - size))
            value = pool[start : start + size].reshape(tensor.shape)
            if SCALES.search(tensor.key):
                value = torch.ones(tensor.shape, dtype=torch.float16)
            entries.append(FileEntry(tensor.key, tensor.shape, torch.float16, value=value))
    entries.append(
        FileEntry(sdxl_single_file.POSITION_IDS, (1, 77), torch.int64, value=torch.arange(77).reshape(1, 77))
    )
    entries.append(FileEntry(sdxl_single_file.LOGIT_SCALE, (), torch.float16, value=torch.tensor(4.6)))
    weave_file(None, entries, path)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    asked = parser.parse_args()
    for number in range(1, asked.count + 1):
        print(make(asked.folder / f"random-{number}.safetensors", number))
