"""What a scorer's configuration may ask for: named keys with plain values, and never code that comes with its files.

open_clip hands parts of `open_clip_config.json` to transformers as they are, and transformers imports Python files from
a model's folder for whoever asks. Every configuration that open_clip or transformers is to read goes through here
first. Messages name keys and never quote values: a path may lead to any file.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.errors import ScorerError
from pipelines.errors import unreadable
from pipelines.untrusted import UnreadableDocument, read_json

_BLOCK = ("block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc")
_TOWER = (
    *("layers", "width", "mlp_ratio", "ls_init_value", "final_ln_after_pool", "pool_type", "output_tokens"),
    *("act_kwargs", "norm_kwargs", *_BLOCK),
)
_TEXT = (
    *(*_TOWER, "context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs", "heads"),
    *("embed_cls", "pad_id", "eos_id", "no_causal_mask", "proj_bias", "proj_type"),
    *("hf_model_name", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type"),
)
_VISION = (
    *(*_TOWER, "head_width", "patch_size", "image_size", "patch_dropout", "attentional_pool", "attn_pooler_queries"),
    *("attn_pooler_heads", "no_ln_pre", "pos_embed_type", "timm_model_name", "timm_model_pretrained", "timm_pool"),
    *("timm_proj", "timm_proj_bias", "timm_drop", "timm_drop_path"),
)
_MODEL = (
    *("embed_dim", "text_cfg", "vision_cfg", "multimodal_cfg", "custom_text", "quick_gelu"),
    *("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale"),
)
# Keys of each object in `model_cfg`, by the key that it stands under.
_KEYS: dict[str, tuple[str, ...]] = {
    "model_cfg": _MODEL,
    "text_cfg": _TEXT,
    "vision_cfg": _VISION,
    "multimodal_cfg": (*_TEXT, "dim_head", "n_queries", "attn_pooler_heads"),
    "tokenizer_kwargs": ("clean", "strip_sep_token"),
    "act_kwargs": ("approximate",),
    "norm_kwargs": ("eps",),
}
_TIMM = re.compile(r"[A-Za-z0-9_.]+")  # a model of timm's own; with a colon it would be a place to load one from
_CODE = ("auto_map", "trust_remote_code")  # transformers: Python files of a folder, by what they stand in for
_KERNELS = ("attn_implementation", "experts_implementation")  # transformers: with a slash, code from the hub


def check_model_config(content: Any, where: Path | str) -> None:
    """Check `model_cfg` of a scorer before open_clip sees it.

    Args:
        content: as read from JSON.
        where: its file, for the message.

    Raises:
        ScorerError: a key that is not allowed, an object where none is, a name that is no text, or a picture tower
            that is not timm's own.
    """
    _check_keys("model_cfg", content, where)
    towers = [content.get(key) or {} for key in ("text_cfg", "vision_cfg", "multimodal_cfg")]
    for tower in towers:
        for key in ("hf_model_name", "hf_tokenizer_name"):
            if not isinstance(tower.get(key) or "", str):
                raise ScorerError(
                    "scorer's configuration {where}: expected `{key}` to be the name of a repository, as text, found "
                    "{kind}; check the file, or choose another scorer",
                    where=where,
                    key=key,
                    kind=type(tower[key]).__name__,
                )
        name = tower.get("timm_model_name")
        if name is not None and not (isinstance(name, str) and _TIMM.fullmatch(name)):
            raise ScorerError(
                "scorer's configuration {where}: expected `timm_model_name` to be the name of a model that comes with "
                "timm, found another place to load one from; name timm's own model, or choose another scorer",
                where=where,
            )


def check_transformers_folder(folder: Path) -> None:
    """Check the configurations in a folder that transformers is to read.

    Raises:
        ScorerError: one cannot be read, or asks for code of the folder's or the hub's.
    """
    for file in (folder / "config.json", folder / "tokenizer_config.json"):
        if not file.is_file():
            continue
        try:
            content = read_json(file)
        except (OSError, UnreadableDocument) as error:
            raise ScorerError(
                "scorer's configuration {file}: expected JSON in UTF-8, found: {reason}; fetch it again",
                file=file,
                reason=unreadable(error),
            ) from error
        if key := _asks_for_code(content):
            raise ScorerError(
                "scorer's configuration {file}: expected a model and a tokenizer of transformers' own, found the key "
                "`{key}`, which names code to run; no code that comes with a scorer is run: choose another scorer",
                file=file,
                key=key,
            )


def _check_keys(name: str, content: Any, where: Path | str) -> None:
    if not isinstance(content, Mapping):
        raise ScorerError(
            "scorer's configuration {where}: expected an object under `{name}`, found {kind}; "
            "correct the file, or choose another scorer",
            where=where,
            name=name,
            kind=type(content).__name__,
        )
    for key, value in content.items():
        if key not in _KEYS[name]:
            raise ScorerError(
                "scorer's configuration {where}: expected under `{name}` only {keys}; found the key "
                "`{key}`, which is not passed on; remove it, or choose another scorer",
                where=where,
                name=name,
                keys=", ".join(_KEYS[name]),
                key=str(key)[:80],
            )
        if key in _KEYS and value is not None:
            _check_keys(key, value, where)
        elif isinstance(value, Mapping):
            raise ScorerError(
                "scorer's configuration {where}: expected a plain value for `{key}` under `{name}`, found an object; "
                "correct the file, or choose another scorer",
                where=where,
                key=key,
                name=name,
            )


def _asks_for_code(content: Any) -> str | None:
    """The first key, at any depth, that makes transformers import Python of others."""
    pending: list[Any] = [content]
    while pending:
        here = pending.pop()
        if isinstance(here, Mapping):
            for key, value in here.items():
                if key in _CODE:
                    return str(key)
                if str(key).strip("_").removesuffix("_internal") in _KERNELS and _names_a_repository(value):
                    return str(key)
            pending += here.values()
        elif isinstance(here, list):
            pending += here
    return None


def _names_a_repository(value: Any) -> bool:
    values = value.values() if isinstance(value, Mapping) else [value]
    return any("/" in one for one in values if isinstance(one, str))
