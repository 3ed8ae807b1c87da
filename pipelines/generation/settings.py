"""How pictures are made: steps, guidance, size; presets that suit a model; LoRAs that draw in a few steps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.errors import InvalidValue

FewStepFamily = Literal["lightning", "lcm", "hyper-sd"]
PresetName = Literal["draft", "standard", "final"]
FULL_SIZE_SIDE = 512  # pixels; models that draw this or more are SDXL's, those below are toys like the embedded family


@dataclass(frozen=True)
class FewStepLora:
    """A published family of LoRAs that draw in a few steps, as its authors say to use it.

    Attributes:
        file: the hub id of a LoRA, the number of steps in braces.
        steps: those there is a file for, or that the one file is made for.
        guidance: the highest that the LoRA stands; 1 or less is none.
        size: bytes of a file.
        scheduler: the class of diffusers to sample with.
        options: what that scheduler changes of the source's own configuration.
    """

    file: str
    steps: tuple[int, ...]
    guidance: float
    size: int
    scheduler: str
    options: Mapping[str, Any] = field(default_factory=dict)


# SDXL's own scheduler says the last two; schedulers that are not told clip the latents.
_OF_SDXL = {"clip_sample": False, "set_alpha_to_one": False}
FEW_STEP_LORAS: Mapping[FewStepFamily, FewStepLora] = {
    "lightning": FewStepLora(
        "ByteDance/SDXL-Lightning/sdxl_lightning_{steps}step_lora.safetensors",
        steps=(2, 4, 8),
        guidance=1.0,
        size=394_000_000,
        scheduler="EulerDiscreteScheduler",
        options={"timestep_spacing": "trailing", "use_karras_sigmas": False},
    ),
    "lcm": FewStepLora(
        "latent-consistency/lcm-lora-sdxl/pytorch_lora_weights.safetensors",
        steps=(2, 3, 4, 5, 6, 7, 8),
        guidance=2.0,
        size=394_000_000,
        scheduler="LCMScheduler",
        options=_OF_SDXL,
    ),
    "hyper-sd": FewStepLora(
        "ByteDance/Hyper-SD/Hyper-SDXL-{steps}steps-lora.safetensors",
        steps=(2, 4, 8),
        guidance=1.0,
        size=787_000_000,
        scheduler="DDIMScheduler",
        options={"timestep_spacing": "trailing", **_OF_SDXL},
    ),
}


class GenerationSettings(BaseModel):
    """The settings that pictures are made with: part of what every score means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(8, ge=1, le=1000, description="denoising steps")
    guidance: float = Field(3.0, ge=0, description="classifier-free guidance scale; 1 or less turns it off")
    size: int | None = Field(None, gt=0, multiple_of=8, description="side in pixels; the model's own if left out")
    batch: int = Field(16, ge=1, description="pictures drawn at once, as far as the memory of the device allows")
    speed: FewStepFamily | None = Field(
        None, description="family of LoRA that draws in a few steps; never baked into weights"
    )
    speed_lora: str | None = Field(
        None,
        description="file of that LoRA, or OWNER/REPOSITORY/FILE of the hub; the published one for so many steps if "
        "left out",
    )
    compile: bool = Field(False, description="compile the UNet's blocks: faster pictures after a minute of waiting")

    @model_validator(mode="after")
    def _of_one_family(self) -> GenerationSettings:
        if self.speed is None:
            if self.speed_lora is not None:
                raise InvalidValue(
                    "speed_lora goes with speed, its family: one of {few_step_loras}",
                    few_step_loras=", ".join(FEW_STEP_LORAS),
                )
            return self
        family = FEW_STEP_LORAS[self.speed]
        if self.speed_lora is None and (self.steps not in family.steps or self.guidance > family.guidance):
            raise InvalidValue(
                "{speed} draws in {allowed} steps with guidance {guidance:g} at "
                "most, found {steps} steps and guidance {found:g}",
                speed=self.speed,
                allowed=", ".join(map(str, family.steps)),
                guidance=family.guidance,
                steps=self.steps,
                found=self.guidance,
            )
        return self

    @property
    def portable(self) -> GenerationSettings:
        """These settings as they may leave this machine: of a LoRA's path only the file's name stays."""
        if self.speed_lora is None or not Path(os.path.expanduser(self.speed_lora)).is_absolute():
            return self
        return self.model_copy(update={"speed_lora": Path(self.speed_lora).name})

    @property
    def guided(self) -> bool:
        """Whether the UNet is asked twice a step, with the prompt and without."""
        return self.guidance > 1

    @property
    def lora(self) -> str | None:
        """The LoRA to draw with: a path, or OWNER/REPOSITORY/FILE of the hub."""
        if self.speed is None:
            return None
        return self.speed_lora or FEW_STEP_LORAS[self.speed].file.format(steps=self.steps)


def presets(side: int) -> dict[PresetName, GenerationSettings]:
    """Return settings that suit a model.

    `draft` is for looking around, `standard` for runs, `final` for pictures to keep. The last two differ in steps
    alone, so that one predicts the other. A full-size draft uses a few-step LoRA, made for SDXL; the embedded family
    needs none.

    Args:
        side: of the pictures that the model was made for, in pixels.
    """
    if side < FULL_SIZE_SIDE:
        return {
            "draft": GenerationSettings(steps=4),
            "standard": GenerationSettings(),
            "final": GenerationSettings(steps=20),
        }
    return {
        "draft": GenerationSettings(steps=4, guidance=0.0, speed="lightning"),
        "standard": GenerationSettings(steps=25, guidance=5.0),
        "final": GenerationSettings(steps=40, guidance=5.0),
    }
