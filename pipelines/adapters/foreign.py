"""Files that are no adapters, or of a kind that is not baked, told by their keys: what they are, and what to do.

The first entry of which a key matches is what a file looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from re import Pattern

from pipelines.errors import Phrase

_MERGE_ELSEWHERE = Phrase("merge it into its base with the tool that made it, and take the result as a source")


@dataclass(frozen=True)
class ForeignKind:
    """A kind of file that is not baked.

    Attributes:
        name: what it is.
        keys: matches one of its keys.
        remedy: what to do with it.
    """

    name: str
    keys: Pattern[str]
    remedy: str


FOREIGN_KINDS = (
    ForeignKind(
        Phrase("an adapter of FLUX, Stable Diffusion 3 or another transformer"),
        re.compile(
            r"(^|[._])(double_blocks|single_blocks|single_transformer_blocks|joint_blocks|transformer[._]transformer_blocks)[._]"
        ),
        Phrase("it changes modules that SDXL does not have: take an adapter for SDXL"),
    ),
    ForeignKind(
        Phrase("a textual inversion (embedding)"),
        re.compile(r"^(emb_params|clip_[lg]|string_to_(param|token).*|<.+>)$"),
        Phrase("it adds words and changes no weights: load it beside the merged model where you draw"),
    ),
    ForeignKind(
        Phrase("an IP-Adapter"),
        re.compile(r"^(image_proj|ip_adapter)\.|\.to_[kv]_ip\."),
        Phrase("it adds layers and changes no weights: load it beside the merged model where you draw"),
    ),
    ForeignKind(
        Phrase("a ControlNet or ControlLoRA"),
        re.compile(
            r"^(control_model|controlnet_\w+|input_hint_block|lora_controlnet|lllite_\w+)(\.|$)|^(controlnet_|lllite_)"
        ),
        Phrase("it steers the model from beside it: load it beside the merged model where you draw"),
    ),
    ForeignKind(Phrase("OFT of an older LyCORIS (oft_diag)"), re.compile(r"\.oft_diag$"), _MERGE_ELSEWHERE),
    ForeignKind(Phrase("OFT of an older peft (oft_r)"), re.compile(r"\.oft_[rs](\.|$)"), _MERGE_ELSEWHERE),
    ForeignKind(Phrase("AdaLoRA"), re.compile(r"\.(lora_E|ranknum)(\.|$)"), _MERGE_ELSEWHERE),
    ForeignKind(
        Phrase("VeRA, RandLoRA or another kind of peft's"),
        re.compile(r"\.(vera|randlora|hra|vblora|waveft|fourierft|shira|road|miss)_\w+"),
        _MERGE_ELSEWHERE,
    ),
    ForeignKind(Phrase("T-LoRA"), re.compile(r"\.(q_layer|p_layer|lambda_layer)(\.|$)"), _MERGE_ELSEWHERE),
    ForeignKind(Phrase("a LoRA of embeddings"), re.compile(r"\.lora_embedding_[AB](\.|$)"), _MERGE_ELSEWHERE),
    ForeignKind(
        Phrase("a whole checkpoint or a UNet"),
        re.compile(
            r"^(model\.diffusion_model\.|first_stage_model\.|conditioner\.|cond_stage_model\.|input_blocks\.|down_blocks\.|conv_in\.)"
        ),
        Phrase("it is no change of a base but weights themselves: name it as a source of its own"),
    ),
)


def looks_like(keys: Iterable[str]) -> tuple[ForeignKind, str] | None:
    """Return the foreign kind that keys show, and the key that shows it; `None` where they show none."""
    listed = list(keys)
    for kind in FOREIGN_KINDS:
        for key in listed:
            if kind.keys.search(key):
                return kind, key
    return None
