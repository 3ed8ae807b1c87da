"""What the form asks for beside names, as two tables: numbers, and steps beyond the paper.

The form builds its components from them, and reads and writes a run's settings by their keys; defaults and limits are
those of the run file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.analysis.look_alikes import LOOK_ALIKE
from studio.errors import ConfigError
from studio.runs.run_keys import RUN_KEYS

_DIGITS = 9  # of a number in an address


@dataclass(frozen=True)
class NumberOption:
    """A number of a run file.

    Attributes:
        key: of the run file.
        label: key of the words that name it.
        info: key of the words below it.
        least: where its slider begins, if not at the run file's limit.
        reach: how far its slider goes, which may be less than a run file may ask for; None: a box without a slider.
        step: from one value of the slider to the next.
        from_preset: whether 0 stands for what the preset says, and is what the form opens with.
    """

    key: str
    label: str
    info: str | None = None
    least: float | None = None
    reach: float | None = None
    step: float = 1
    from_preset: bool = False

    @property
    def field(self) -> str:
        """Its name among the form's fields."""
        return RUN_KEYS[self.key].name

    @property
    def default(self) -> float:
        """What the form opens with."""
        return 0 if self.from_preset else RUN_KEYS[self.key].default

    def fit(self, typed: object) -> float:
        """Take what somebody typed to the nearest number that the field takes; its least where nothing stands there."""
        lowest = self.lowest or 0
        number = typed if isinstance(typed, int | float) and typed == typed else lowest
        bounded = min(max(number, lowest), number if self.reach is None else self.reach)
        return round(bounded) if self.step == 1 else bounded

    @property
    def lowest(self) -> float | None:
        """The least that the form takes."""
        if self.from_preset:
            return 0
        return RUN_KEYS[self.key].at_least if self.least is None else self.least


@dataclass(frozen=True)
class BeyondThePaper:
    """What goes beyond the paper, as one tick with the strength that `benchmarks/search` compares.

    Attributes:
        name: among the form's options.
        changes: values by key of the run file.
    """

    name: str
    changes: Mapping[str, Any]

    @property
    def field(self) -> str:
        """What its tick is called among the components."""
        return f"option_{self.name}"

    @property
    def label(self) -> str:
        """Key of the words beside the tick."""
        return f"option_{self.name}"

    @property
    def gain(self) -> str:
        """Key of the words below it: what one gets."""
        return f"gain_{self.name}"

    def asked_for(self, settings: Mapping[str, Any]) -> bool:
        """Whether settings, by key of the run file, are what this tick asks for."""
        return all(settings[key] == value for key, value in self.changes.items())


NUMBERS = (
    NumberOption("evaluations", label="evaluations", info="evaluations_info", least=1, reach=1000),
    NumberOption("archive", label="archive_size", reach=200),
    NumberOption("noises", label="noises", reach=8),
    NumberOption("seed", label="seed"),
    NumberOption("alpha", label="alpha", reach=3, step=0.1),
    NumberOption("pictures.steps", label="steps", info="as_preset", reach=50, from_preset=True),
    NumberOption("pictures.guidance", label="guidance", info="as_preset", reach=12, step=0.5, from_preset=True),
)
WORKERS = NumberOption("workers", label="workers", info="workers_info", least=1, reach=64)  # 1: none of their own
BEYOND_THE_PAPER = (
    BeyondThePaper("bilingual", {"compete": ("ja", "en")}),
    BeyondThePaper("rotation", {"noise_rotation": 50}),
    BeyondThePaper("early_rejection", {"early_rejection": True}),
    BeyondThePaper("racing", {"racing": 0.05}),
    BeyondThePaper("foresight", {"breeding.foresight": 0.75, "breeding.nudges": True}),
    BeyondThePaper("apart", {"breeding.min_distance": LOOK_ALIKE}),
    BeyondThePaper("merges", {"breeding.merges": True}),
    BeyondThePaper("warm_up", {"breeding.warm_up": 20}),
    BeyondThePaper("compatibility", {"breeding.compatibility": 1.0}),
    BeyondThePaper("guided", {"breeding.guided": True}),
    BeyondThePaper("splits", {"breeding.split_points": 3, "breeding.split_growth": 50}),
    BeyondThePaper("beta", {"breeding.beta": 5.0}),
    BeyondThePaper("one_ratio", {"breeding.one_ratio": True}),
    BeyondThePaper("step", {"breeding.step": 0.3}),
)


def whole_number(text: str, what: str) -> int:
    """A number from the page's address.

    Raises:
        ConfigError: it is none.
    """
    if not text.isdecimal() or len(text) > _DIGITS:
        raise ConfigError(
            "The address asks for {what}={text!r}. Expected a whole number.", what=what, text=text[:_DIGITS]
        )
    return int(text)
