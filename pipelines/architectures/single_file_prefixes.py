"""Which component each key of a single file belongs to: by its prefix, or by its kind where it has none.

Beside the names of whole checkpoints those of parts and of wrappers are read: what ComfyUI's, kohya's and diffusers'
tools write for a part alone, what `torch.compile` and data-parallel training put around a module, and weights of an
exponential moving average where a file holds no others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

_WRAPPERS = frozenset({"_orig_mod", "module"})  # torch.compile's, DataParallel's
PREFIXES_READ = (  # no prefix is the beginning of one that follows it
    ("unet", "model.diffusion_model."),
    ("vae", "first_stage_model."),
    ("text_encoder", "conditioner.embedders.0.transformer."),
    ("text_encoder_2", "conditioner.embedders.1.model."),
    ("text_encoder_2", "conditioner.embedders.0.model."),  # the refiner's
    ("unet", "diffusion_model."),  # ComfyUI, without the outermost name
    ("text_encoder", "text_encoders.clip_l.transformer."),
    ("text_encoder_2", "text_encoders.clip_g.transformer."),
    ("text_encoder", "clip_l.transformer."),
    ("text_encoder_2", "clip_g.transformer."),
    ("text_encoder", "clip_l."),
    ("text_encoder_2", "clip_g."),
    ("unet", "unet."),  # a diffusers pipeline in one file
    ("vae", "vae."),
    ("text_encoder", "text_encoder."),
    ("text_encoder_2", "text_encoder_2."),
)
_EMA, _EMA_DOTTED, _EMA_PLAIN = "model_ema.", "model_ema.diffusion_model.", "model_ema.diffusion_model"
_CLIP_L_LAYERS = 12
# How keys begin of a part that stands alone, without any prefix; of CLIP both encoders have the second one's.
_BARE = {
    "unet": ("input_blocks.", "down_blocks."),
    "vae": ("encoder.down", "decoder.up", "encoder.mid", "decoder.mid"),
    "text_encoder_2": ("transformer.resblocks.",),
    "text_encoder": ("text_model.encoder.",),
}
_DIFFUSERS = {  # how keys of a component begin under diffusers' names
    "unet": ("down_blocks.", "up_blocks.", "mid_block."),
    "vae": ("encoder.down_blocks.", "decoder.up_blocks.", "encoder.mid_block.", "decoder.mid_block."),
    "text_encoder_2": ("text_model.",),
}
Keys = list[tuple[str, str]]


def sort_keys(keys: Iterable[str], ema_names: Mapping[str, str]) -> dict[str, Keys]:
    """Sort the keys of a file by component; each comes without and with what stands before its own name.

    Args:
        keys: of the file.
        ema_names: a UNet's names in a single file, by what they are without dots.
    """
    unwrapped = [(_unwrapped(key), key) for key in keys]
    components: dict[str, Keys] = {}
    for plain, key in unwrapped:
        named = next(((part, prefix) for part, prefix in PREFIXES_READ if plain.startswith(prefix)), None)
        if named:
            components.setdefault(named[0], []).append((plain.removeprefix(named[1]), key))
    if "unet" not in components and (averaged := _averaged(unwrapped, ema_names)):
        components["unet"] = averaged
    if not components and (bare := _bare_component(plain for plain, _ in unwrapped)):
        components[bare] = unwrapped
    return components


def has_diffusers_names(component: str, names: Iterable[str]) -> bool:
    """Return whether the tensors of a component have diffusers' names, and not those of a single file."""
    beginnings = _DIFFUSERS.get(component, ())
    return any(name.startswith(beginnings) for name in names) if beginnings else False


def _unwrapped(key: str) -> str:
    """Return a key without the names of wrappers in it."""
    parts = key.split(".")
    return key if _WRAPPERS.isdisjoint(parts) else ".".join(part for part in parts if part not in _WRAPPERS)


def _averaged(keys: Keys, ema_names: Mapping[str, str]) -> Keys:
    """Return the moving average of a UNet, whose writer leaves out the dots of all names."""
    found = []
    for plain, key in keys:
        if plain.startswith(_EMA_DOTTED):
            found.append((plain.removeprefix(_EMA_DOTTED), key))
        elif plain.startswith(_EMA_PLAIN) and (name := ema_names.get(plain.removeprefix(_EMA_PLAIN))):
            found.append((name, key))
        elif plain.startswith(_EMA) and "." in plain.removeprefix(_EMA):
            found.append((plain.removeprefix(_EMA), key))
    return found


def _bare_component(names: Iterable[str]) -> str | None:
    """Return the component that a file without prefixes holds; `None` where it is none."""
    listed = list(names)
    for component, beginnings in _BARE.items():
        if any(name.startswith(beginnings) for name in listed):
            if component == "text_encoder" and _layer_beyond(listed, _CLIP_L_LAYERS):
                return "text_encoder_2"
            return component
    return None


def _layer_beyond(names: Iterable[str], layers: int) -> bool:
    """Return whether a CLIP text model has more layers than CLIP-L."""
    return any(name.startswith(f"text_model.encoder.layers.{layers}.") for name in names)


@functools.cache
def without_dots(names: tuple[str, ...]) -> Mapping[str, str]:
    """Return names by what they are without dots."""
    return {name.replace(".", ""): name for name in names}
