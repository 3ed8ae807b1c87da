"""One small checkpoint in every form that the trade gives it: folders, single files of many programs, pickles, parts.

    place = forms_place(tmp_path, folder)            # configurations of `folder`, without weights
    path = WHOLE["ComfyUI's names"](place, folder)   # writes it there; path or folder to open

The values are those of the folder in each of them, so their hashes are as well.
"""

import functools
import json
import shutil

import torch
from safetensors.torch import save_file

from pipelines.architectures.sdxl_single_file import LOGIT_SCALE, POSITION_IDS, PREFIXES
from tests.full_keys import FILES, POSITIONS, tensors_of, to_file

PROJECTION = "conditioner.embedders.1.model.text_projection"
UNET, VAE = PREFIXES["unet"], PREFIXES["vae"]
CLIP_L, CLIP_G = PREFIXES["text_encoder"], PREFIXES["text_encoder_2"]


def forms_place(parent, folder):
    """A folder with the configurations of another and no weights: files in it have those configurations."""
    return shutil.copytree(folder, parent / "forms", ignore=shutil.ignore_patterns("*.safetensors"))


def whole(folder):
    """All 2,515 tensors of a single file, by key."""
    return dict(_whole(folder))


@functools.cache
def _whole(folder):
    stored = {}
    for part, tensors in tensors_of(folder).items():
        stored |= to_file(part, tensors)
    return stored | {
        POSITION_IDS: torch.arange(POSITIONS)[None],
        LOGIT_SCALE: torch.tensor(4.6055, dtype=torch.float16),
    }


def part_of(folder, part):
    """The tensors of a component as a single file has them, without its prefix."""
    return {key.removeprefix(PREFIXES[part]): t for key, t in to_file(part, tensors_of(folder)[part]).items()}


def put(path, tensors):
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return path


def prefixed(prefix, tensors):
    return {prefix + key: tensor for key, tensor in tensors.items()}


def replaced(old, new, tensors):
    return {key.replace(old, new): tensor for key, tensor in tensors.items()}


def _single(change, name="one.safetensors"):
    return lambda place, folder: put(place / name, change(whole(folder)))


def _pickled(nest):
    def write(place, folder):
        torch.save(nest(folder), place / "one.ckpt")
        return place / "one.ckpt"

    return write


def _moved_projection(tensors):
    rest = {key: tensor for key, tensor in tensors.items() if key != PROJECTION}
    return rest | {f"{PROJECTION}.weight": tensors[PROJECTION].t()}


def _copied(place, folder):
    return shutil.copytree(folder, place / "copy")


def _sharded(index_name, shard, in_index=None):
    """A folder whose UNet lies in two shards, called as `shard` and `in_index` say."""

    def write(place, folder):
        copy = _copied(place, folder)
        unet = tensors_of(folder)["unet"]
        (copy / "unet" / FILES["unet"]).unlink()
        names, map_ = list(unet), {}
        for number, keys in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
            put(copy / "unet" / shard.format(number), {key: unet[key] for key in keys})
            map_ |= dict.fromkeys(keys, (in_index or shard).format(number))
        (copy / "unet" / index_name).write_text(json.dumps({"weight_map": map_}))
        return copy

    return write


def _diffusers_names(prefixes):
    """All components under diffusers' names in one file."""

    def write(place, folder):
        parts = tensors_of(folder)
        return put(
            place / "one.safetensors",
            {k: t for p, tensors in parts.items() for k, t in prefixed(prefixes[p], tensors).items()},
        )

    return write


STEM = "diffusion_pytorch_model"
WHOLE = {
    "a folder": _copied,
    "a folder of shards": _sharded(f"{STEM}.safetensors.index.json", STEM + "-0000{}-of-00002.safetensors"),
    "fp16 shards": _sharded(f"{STEM}.safetensors.index.fp16.json", STEM + ".fp16-0000{}-of-00002.safetensors"),
    "fp16 shards, the older index": _sharded(
        f"{STEM}.safetensors.fp16.index.json", STEM + "-0000{}-of-00002.fp16.safetensors"
    ),
    "fp16 shards, named otherwise in the index": _sharded(
        f"{STEM}.fp16.safetensors.index.json",
        STEM + "-0000{}-of-00002.fp16.safetensors",
        STEM + ".fp16-0000{}-of-00002.safetensors",
    ),
    "shards that the index calls .bin": _sharded(
        f"{STEM}.bin.index.json", STEM + "-0000{}-of-00002.safetensors", STEM + "-0000{}-of-00002.bin"
    ),
    "a single file": _single(dict),
    "an ending in capitals": _single(dict, "one.SAFETENSORS"),
    "without buffers": _single(
        lambda stored: {k: t for k, t in stored.items() if k not in (POSITION_IDS, LOGIT_SCALE)}
    ),
    "float position_ids": _single(lambda stored: stored | {POSITION_IDS: stored[POSITION_IDS].half()}),
    "CLIP-L without text_model": _single(lambda stored: replaced(f"{CLIP_L}text_model.", CLIP_L, stored)),
    "CLIP-G's projection as a layer": _single(_moved_projection),
    "torch.compile's names": _single(lambda stored: prefixed("_orig_mod.", stored)),
    "torch.compile inside": _single(lambda stored: replaced(UNET, f"{UNET}_orig_mod.", stored)),
    "DataParallel's names": _single(lambda stored: prefixed("module.", stored)),
    "ComfyUI's inner names": _diffusers_names(
        {
            "unet": "diffusion_model.",
            "vae": "vae.",
            "text_encoder": "text_encoders.clip_l.transformer.",
            "text_encoder_2": "text_encoders.clip_g.transformer.",
        }
    ),
    "a diffusers pipeline in one file": _diffusers_names({part: f"{part}." for part in FILES}),
    "with strange keys": _single(
        lambda stored: stored | {"some.new.weight": torch.zeros(3), "ip_adapter.1.to_k_ip.weight": torch.zeros(2, 2)}
    ),
    "with its moving average": _single(
        lambda stored: (
            stored
            | {
                f"model_ema.diffusion_model{k.removeprefix(UNET).replace('.', '')}": t + 1
                for k, t in stored.items()
                if k.startswith(UNET)
            }
        )
    ),
    "a pickle": _pickled(whole),
    "a pickle of dictionaries": _pickled(
        lambda folder: {"epoch": 3, "checkpoint": {"optimizer": [1], "model": {"state_dict": whole(folder)}}}
    ),
    "a pickle of parts": _pickled(lambda folder: {"step": 7, **tensors_of(folder)}),
}


def _part(part, change):
    return lambda place, folder: put(place / f"{part}.safetensors", change(part_of(folder, part)))


def _named_part(part, change=dict):
    return lambda place, folder: put(place / f"{part}.safetensors", change(tensors_of(folder)[part]))


def _own_folder(part):
    return lambda place, folder: shutil.copytree(folder / part, place / f"own-{part}")


PARTS = {
    ("unet", "bare"): _part("unet", dict),
    ("unet", "diffusers' names"): _named_part("unet"),
    ("unet", "its own folder"): _own_folder("unet"),
    **{
        ("unet", prefix): _part("unet", lambda tensors, prefix=prefix: prefixed(prefix, tensors))
        for prefix in (
            UNET,
            "diffusion_model.",
            "unet.",
            "module.",
            "_orig_mod.",
            "model_ema.diffusion_model.",
            "model_ema.",
        )
    },
    ("unet", "model_ema without dots"): _part(
        "unet", lambda tensors: {f"model_ema.diffusion_model{key.replace('.', '')}": t for key, t in tensors.items()}
    ),
    ("vae", "bare"): _part("vae", dict),
    ("vae", "first_stage_model."): _part("vae", lambda tensors: prefixed(VAE, tensors)),
    ("vae", "vae."): _part("vae", lambda tensors: prefixed("vae.", tensors)),
    ("vae", "diffusers' names"): _named_part("vae"),
    ("vae", "its own folder"): _own_folder("vae"),
    ("text_encoder", "transformers' names"): _named_part("text_encoder"),
    ("text_encoder", "clip_l."): _named_part("text_encoder", lambda tensors: prefixed("clip_l.", tensors)),
    ("text_encoder", "its own folder"): _own_folder("text_encoder"),
    ("text_encoder_2", "transformers' names"): _named_part("text_encoder_2"),
    ("text_encoder_2", "open_clip's names"): _part("text_encoder_2", dict),
    ("text_encoder_2", "clip_g."): _named_part(
        "text_encoder_2", lambda tensors: prefixed("clip_g.transformer.", tensors)
    ),
    ("text_encoder_2", "its own folder"): _own_folder("text_encoder_2"),
}
