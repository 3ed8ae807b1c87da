"""What every SDXL checkpoint shares and a single file does not hold: configurations, scheduler and tokenizers.

A `.safetensors` of ComfyUI or A1111 holds weights alone. The published configuration of SDXL 1.0 base is written down
here, and the two CLIP tokenizers are made from the byte-pair merges that open_clip carries, so that opening such a file
takes no network. `SDXLFolder` writes them as a folder that diffusers' `from_single_file(config=...)` takes as well.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.storage.files import cache_dir, write_whole
from pipelines.storage.unfinished import unfinished_folder

if TYPE_CHECKING:
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

_MERGES = 49152 - 256 - 2  # the merges CLIP was trained with; the file goes on after them

UNET: dict[str, Any] = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20],
    "block_out_channels": [320, 640, 1280],
    "cross_attention_dim": 2048,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "projection_class_embeddings_input_dim": 2816,
    "sample_size": 128,
    "transformer_layers_per_block": [1, 2, 10],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "use_linear_projection": True,
}
VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKL",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "force_upcast": True,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
_CLIP: dict[str, Any] = {
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 2,  # 2 tells transformers to take the highest id as the end, as SDXL was trained
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "pad_token_id": 1,
    "vocab_size": 49408,
}
TEXT_ENCODER: dict[str, Any] = _CLIP | {
    "architectures": ["CLIPTextModel"],
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
}
TEXT_ENCODER_2: dict[str, Any] = _CLIP | {
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_act": "gelu",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "projection_dim": 1280,
}
SCHEDULER: dict[str, Any] = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "use_karras_sigmas": False,
}
INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionXLPipeline",
    "force_zeros_for_empty_prompt": True,
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
CONFIGS = {"unet": UNET, "vae": VAE, "text_encoder": TEXT_ENCODER, "text_encoder_2": TEXT_ENCODER_2}


def write_folder(folder: Path) -> None:
    """Write SDXL's `model_index.json`, configurations, scheduler and tokenizers; no weights."""
    written_by = {"_diffusers_version": version("diffusers")}
    _write_json(folder / "model_index.json", INDEX | written_by)
    _write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER | written_by)
    for part, config in CONFIGS.items():
        _write_json(folder / part / "config.json", config | (written_by if part in ("unet", "vae") else {}))
    for part, pad in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        _tokenizer(pad).save_pretrained(folder / part)


@functools.cache
def cached_folder() -> Path:
    """Return SDXL's folder without weights, made once and kept in the cache.

    Raises:
        OSError: the cache cannot be written.
    """
    versions = f"sdxl-diffusers-{version('diffusers')}-transformers-{version('transformers')}"
    folder = cache_dir() / "configs" / versions
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(folder) as unfinished:
            try:
                write_folder(unfinished / folder.name)
                os.replace(unfinished / folder.name, folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
    return folder


def _tokenizer(pad: str) -> CLIPTokenizer:
    """Make CLIP's tokenizer: bytes, bytes that end a word, one entry per merge, and the two marks, in that order."""
    from transformers.models.clip.tokenization_clip import CLIPTokenizer  # here, not above: it takes seconds

    packed = resources.files("open_clip").joinpath("bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split("\n")[1 : _MERGES + 1]
    merges = [tuple(line.split()) for line in lines]
    letters = list(_byte_letters())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={word: number for number, word in enumerate(words)}, merges=merges, pad_token=pad, model_max_length=77
    )


def _byte_letters() -> list[str]:
    """Return a printable letter for each of the 256 bytes, in the order of CLIP's vocabulary: printable bytes first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [*map(chr, printable), *(chr(256 + number) for number in range(others))]


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
