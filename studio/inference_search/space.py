"""What is searched for one picture: noise, guidance, steps, and the wording of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.generation.settings import GenerationSettings

Move = Literal["seed", "guidance", "steps", "wording"]
# Guidance below half or beyond twice what a model is drawn with washes its pictures out or burns them; fewer steps than
# asked for would save time and not find anything that more do not.
_GUIDANCE_FACTORS = (1.0, 0.7, 1.4, 2.0)
_STEP_FACTORS = (1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Candidate:
    """A picture that could be drawn.

    Attributes:
        seed: of its noise.
        guidance: classifier-free guidance scale.
        steps: denoising steps.
        prompt: as it is worded for the model, never for whoever scores the picture.
    """

    seed: int
    guidance: float
    steps: int
    prompt: str


@dataclass(frozen=True)
class SearchSpace:
    """The pictures that a search chooses from; of each tuple, the first is what was asked for.

    Attributes:
        seed: of the first noise; the others follow it by ones, as those of a batch do elsewhere.
        guidances: classifier-free guidance scales.
        steps: numbers of denoising steps.
        prompts: the prompt and its other wordings.
    """

    seed: int
    guidances: tuple[float, ...]
    steps: tuple[int, ...]
    prompts: tuple[str, ...]

    @classmethod
    def around(
        cls, settings: GenerationSettings, prompt: str, wordings: Sequence[str] = (), *, seed: int = 0
    ) -> SearchSpace:
        """Return the pictures around what was asked for.

        Guidance and steps are those of the settings alone where a few-step LoRA draws, as it is made for them, and so
        is guidance where there is none.

        Args:
            settings: as the picture would be drawn without a search.
            prompt: as it was asked for.
            wordings: other ways to say it.
            seed: of the first noise.
        """
        is_free = settings.speed is None
        guidances = _GUIDANCE_FACTORS if is_free and settings.guided else _GUIDANCE_FACTORS[:1]
        steps = _STEP_FACTORS if is_free else _STEP_FACTORS[:1]
        return cls(
            seed,
            tuple(dict.fromkeys(round(settings.guidance * factor, 2) for factor in guidances)),
            tuple(dict.fromkeys(round(settings.steps * factor) for factor in steps)),
            tuple(dict.fromkeys([prompt, *wordings])),
        )

    @property
    def moves(self) -> tuple[Move, ...]:
        """What can be changed about a picture."""
        choices: dict[Move, int] = {
            "guidance": len(self.guidances), "steps": len(self.steps), "wording": len(self.prompts),
        }  # fmt: skip
        return ("seed", *(move for move, count in choices.items() if count > 1))

    def plain(self, noise: int) -> Candidate:
        """Return the picture as it was asked for, from one of the noises, by its number from 0 on."""
        return Candidate(self.seed + noise, self.guidances[0], self.steps[0], self.prompts[0])

    def neighbours(self, candidate: Candidate, move: Move) -> tuple[Candidate, ...]:
        """Return the pictures that differ from one by guidance, by steps or by wording alone; none by noise."""
        if move == "guidance":
            every = [replace(candidate, guidance=guidance) for guidance in self.guidances]
        elif move == "steps":
            every = [replace(candidate, steps=steps) for steps in self.steps]
        elif move == "wording":
            every = [replace(candidate, prompt=prompt) for prompt in self.prompts]
        else:
            every = []
        return tuple(one for one in every if one != candidate)
