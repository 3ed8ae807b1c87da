"""The module and the role that a key of an adapter names, in any spelling.

lora_unet_..._to_q.lora_down.weight       kohya, LyCORIS, A1111, ComfyUI; dots may be left in
unet.....to_q.lora_A.weight               diffusers, peft; also lora.down, lora_linear_layer.down, ..._lora.down
base_model.model.....lora_A.NAME.weight   peft as it is in memory, with the adapter's name
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = r"(?:\.[^.]+?)?"  # the adapter's name, where peft's own names were saved
_LORA = re.compile(r"(.+?)[._]lora(?:_linear_layer)?[._](down|up|mid|A|B)" + _NAME + r"\.(weight|bias)")
_LORA_ROLES = {"A": "down", "B": "up"}
_NAMED = re.compile(
    r"(.+?)\.(lora_magnitude_vector|hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2)|oft_R|boft_[Rs]|ia3_l)"
    + _NAME
    + r"(?:\.weight)?"
)
_PLAIN = re.compile(
    r"(.+?)\.(alpha|scalar|dora_scale|diff|diff_b|w_norm|b_norm|oft_blocks|rescale|on_input|(?:a1|a2|b1|b2|bm)(?=\.weight$))"
    r"(?:\.weight)?"
)


def role_of(key: str) -> tuple[str, str] | None:
    """Return the module and the role that a key names, `None` where it is of no known spelling."""
    if found := _LORA.fullmatch(key):
        role = _LORA_ROLES.get(found[2], found[2])
        if found[3] == "weight":
            return found[1], role
        return (found[1], "up_bias") if role == "up" else None
    found = _NAMED.fullmatch(key) or _PLAIN.fullmatch(key)
    return (found[1], found[2]) if found else None


def sort_by_module(keys: Iterable[str]) -> tuple[dict[str, dict[str, list[str]]], list[str]]:
    """Sort the keys of a file by the module and the role that they name.

    Args:
        keys: of the file.

    Returns:
        Module, as the file calls it, to role to keys, of which there should be one; and the keys that name none.
    """
    modules: dict[str, dict[str, list[str]]] = {}
    unknown = []
    for key in keys:
        if named := role_of(key):
            modules.setdefault(named[0], {}).setdefault(named[1], []).append(key)
        else:
            unknown.append(key)
    for key in list(unknown):  # LyCORIS' IA3 calls its numbers as a checkpoint calls a weight
        module = key.removesuffix(".weight")
        if module != key and "on_input" in modules.get(module, {}):
            modules[module]["weight"] = [key]
            unknown.remove(key)
    return modules, unknown
