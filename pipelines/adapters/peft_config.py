"""What peft's configuration says beside the weights: in the header as diffusers writes it, or in a file beside."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile
from pipelines.untrusted import parse_json, read_json

_PARTS = ("text_encoder_2", "text_encoder", "unet")
_HEADER = "lora_adapter_metadata"
_FILE = "adapter_config.json"
_LONGEST = 512  # letters of an expression, and of what it is held against
_REPEAT, _OF_A_GROUP = re.compile(r"[*+?{]"), re.compile(r"\)[*+{]")


@dataclass(frozen=True)
class PeftConfig:
    """The configuration of one component's adapter, as far as it is stated.

    Attributes:
        stated: peft's own names and values; empty where there is no configuration.
        place: where it stands, for messages.
    """

    stated: Mapping[str, Any] = field(default_factory=dict)
    place: str = "no configuration"

    def ratio(self, module: str, rank: int, alpha_key: str) -> float:
        """Return alpha / rank of a module for which no key of the file says it; 1 where nothing does.

        Args:
            module: its canonical name.
            rank: of its factors.
            alpha_key: `lora_alpha` of LoRA, `alpha` of peft's LoHa and LoKr.

        Raises:
            SourceError: an alpha that is no number, a pattern that is no regular expression.
        """
        alpha = self._of_module("alpha_pattern", module, self.stated.get(alpha_key, rank))
        return alpha / (math.sqrt(rank) if self.stated.get("use_rslora") else rank)

    def rank(self, module: str, otherwise: int) -> int:
        """Return the rank that is stated for a module whose factors do not show it; `otherwise` where none is."""
        return int(self._of_module("rank_pattern", module, self.stated.get("r", otherwise)))

    def flag(self, name: str, otherwise: bool) -> bool:
        """Return a setting that is true or false."""
        return bool(self.stated.get(name, otherwise))

    def _of_module(self, patterns: str, module: str, otherwise: object) -> float:
        """Return the value of the first pattern that fits the end of a module's name, as peft matches them."""
        named = self.stated.get(patterns)
        for pattern, value in named.items() if isinstance(named, dict) else ():
            if (
                len(pattern) > _LONGEST
                or len(module) > _LONGEST
                or len(_REPEAT.findall(pattern)) > 1
                or _OF_A_GROUP.search(pattern)
            ):
                raise SourceError(
                    "{place}: {patterns} has an expression, or the file a name, that may take without end. "
                    "Expected at most {longest} letters and one repeat, none of a group: write the modules out.",
                    place=self.place,
                    patterns=patterns,
                    longest=_LONGEST,
                )
            try:
                fits = re.match(rf"(.*\.)?({pattern})$", module)
            except re.error as error:
                raise SourceError(
                    "{place}: {patterns} has {pattern!r} ({error}). Expected regular expressions, as peft writes.",
                    place=self.place,
                    patterns=patterns,
                    pattern=pattern,
                    error=error,
                ) from error
            if fits:
                otherwise = value
                break
        if isinstance(otherwise, bool) or not isinstance(otherwise, int | float) or not math.isfinite(otherwise):
            raise SourceError(
                "{place} says {otherwise!r} for {module}. Expected a finite number.",
                place=self.place,
                otherwise=otherwise,
                module=module,
            )
        return float(otherwise)


def read_peft_configs(file: TensorFile) -> dict[str, PeftConfig]:
    """Read the configurations of an adapter, by component; empty where it has none.

    Raises:
        SourceError: a configuration that is no JSON object.
    """
    beside = file.path.with_name(_FILE)
    place = str(file.path)
    try:
        if _HEADER in file.metadata:
            content = parse_json(file.metadata[_HEADER])
        elif file.path.stem == "adapter_model" and beside.is_file():  # peft's own pair of names
            place = str(beside)
            content = read_json(beside)
        else:
            return {}
        plain = {key: value for key, value in content.items() if key.partition(".")[0] not in _PARTS}
        return {
            part: PeftConfig(
                plain
                | {key.removeprefix(f"{part}."): value for key, value in content.items() if key.startswith(f"{part}.")},
                place,
            )
            for part in _PARTS
        }
    except (AttributeError, OSError, ValueError) as error:
        raise SourceError(
            "{path}: its peft configuration cannot be read ({error}). Expected a JSON object in {place}; save "
            "the adapter again, or take the configuration out.",
            path=file.path,
            error=error,
            place=place,
        ) from error
