"""From checkpoints to what is shipped: diffusers folders, a UNet, a LoRA and open_clip folders, in half precision.

Run `python -m assets.training.publish family` and `python -m assets.training.publish scorers`. Folders are written
beside their place and renamed when whole. Cards come from `assets.training.cards`, once figures are known.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from assets.training import judges
from assets.training.base import ancestor
from assets.training.family import SOURCES
from assets.training.japanese import ja_encoders
from assets.training.loop import restore
from assets.training.settings import FAMILY, SCORERS
from assets.training.sharpen import sharp_vae
from assets.training.specialist import LowRank, finished
from assets.training.tokenizer import tokenizer, tokenizer_folder
from assets.training.unet import TextEncoders, scheduler

#: open_clip opens the tokenizer that lies in the folder; this name is only what it is called.
TOKENIZER_NAME = "m2n2-emoji"


def publish_source(name: str) -> Path:
    """Write one source as its form asks for, and return where."""
    source = SOURCES[name]
    unet = finished(name).unet
    target = FAMILY / name
    if source.form == "folder":
        return _write_folder(target, unet, ancestor().text if source.text == "base" else ja_encoders())
    tensors = unet.adapter() if isinstance(unet, LowRank) else unet.state_dict()
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_suffix(".safetensors")
    about = {
        "format": "pt",
        "modelspec.title": source.title,
        "modelspec.license": source.licence,
        "modelspec.prediction_type": "v",
    }
    save_file({key: value.half().contiguous().cpu() for key, value in tensors.items()}, path, about)
    return path


def _write_folder(folder: Path, unet: UNet2DConditionModel, text: TextEncoders) -> Path:
    """Write a StableDiffusionXLPipeline folder."""
    vae = sharp_vae()
    pipeline = StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=text.text_encoder,
        text_encoder_2=text.text_encoder_2,
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=unet,
        scheduler=scheduler(),
        add_watermarker=False,
    ).to(dtype=torch.float16, device="cpu")
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    pipeline.save_pretrained(draft, safe_serialization=True)
    _complete(draft / "scheduler" / "scheduler_config.json", clip_sample=False, set_alpha_to_one=False)
    _prefix_keys(draft / "text_encoder" / "model.safetensors")
    for part in ("text_encoder", "text_encoder_2"):
        _complete(draft / part / "config.json", dtype="float32")
    for part in ("unet", "vae"):
        _forget_place(draft / part / "config.json")
    for part in ("tokenizer", "tokenizer_2"):  # the two files that SDXL's own folder has; the third says the same again
        for file in ("vocab.json", "merges.txt"):
            shutil.copy(tokenizer_folder() / file, draft / part / file)
        (draft / part / "tokenizer.json").unlink()
    _replace(draft, folder)
    return folder


def publish_scorer(name: str) -> Path:
    """Write one scorer as a folder that open_clip opens with `local-dir:`, and return it."""
    folder = SCORERS / name
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    state = restore(name, judges.build(name)).state_dict()
    save_file(
        {key: value.half().contiguous().cpu() for key, value in state.items()}, draft / "open_clip_model.safetensors"
    )
    description = judges.config(name)
    description["text_cfg"] |= {"hf_tokenizer_name": TOKENIZER_NAME, "tokenizer_kwargs": {"clean": "whitespace"}}
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": description, "preprocess_cfg": preprocess}
    (draft / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer().save_pretrained(draft)
    _replace(draft, folder)
    return folder


def _prefix_keys(path: Path) -> None:
    """Name the keys as in SDXL's own files: transformers 5 writes a new CLIPTextModel without `text_model.`."""
    tensors = load_file(path)
    prefixed = {f"text_model.{key.removeprefix('text_model.')}": value for key, value in tensors.items()}
    save_file(prefixed, path, metadata={"format": "pt"})


def _complete(path: Path, **values: bool | str) -> None:
    """Set values of a configuration file that its class does not write.

    `dtype` lets a plain `from_pretrained` open half-precision text encoders in float32, as diffusers opens UNet and
    VAE. The scheduler's values, also in SDXL's own file, are for DDIM made from this configuration: its defaults
    would clip the latents.
    """
    config = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _forget_place(path: Path) -> None:
    """Leave out where on this machine a network was read from, which its class writes."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _replace(draft: Path, folder: Path) -> None:
    """Put a new folder in the place of an old one, keeping the card, the licence and the pictures."""
    for file in ("README.md", "LICENSE"):
        if (folder / file).is_file():
            shutil.copy(folder / file, draft / file)
    if (folder / "previews").is_dir():
        shutil.copytree(folder / "previews", draft / "previews")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def main(what: str) -> None:
    """Write the family, or the scorers."""
    for name in SOURCES if what == "family" else judges.PLANS:
        made = publish_source(name) if what == "family" else publish_scorer(name)
        files = made.rglob("*") if made.is_dir() else [made]
        print(made.name, f"{sum(file.stat().st_size for file in files if file.is_file()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1])
