"""Settings: what goes together, and what suits a model."""

import diffusers
import pytest
from pydantic import ValidationError

from pipelines.generation.settings import FEW_STEP_LORAS, GenerationSettings, presets


def test_the_embedded_family_keeps_its_defaults():
    assert presets(64)["standard"] == GenerationSettings() == GenerationSettings(steps=8, guidance=3.0, batch=16)
    assert not any(settings.speed for settings in presets(64).values())
    assert [settings.steps for settings in presets(64).values()] == [4, 8, 20]


def test_full_size_presets():
    draft, standard, final = presets(1024).values()
    assert (draft.steps, draft.guided) == (4, False)
    assert draft.lora == "ByteDance/SDXL-Lightning/sdxl_lightning_4step_lora.safetensors"
    assert (standard.steps, final.steps) == (25, 40)
    assert standard.model_copy(update={"steps": 40}) == final  # one predicts the other
    assert standard.lora is None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"speed": "lightning", "steps": 5, "guidance": 0}, "lightning draws in 2, 4, 8 steps"),
        ({"speed": "lightning", "steps": 4, "guidance": 3}, "guidance 1 at most, found 4 steps and guidance 3"),
        ({"speed": "lcm", "steps": 25, "guidance": 1}, "lcm draws in 2, 3, 4, 5, 6, 7, 8 steps"),
        ({"speed": "hyper-sd", "steps": 1, "guidance": 0}, "hyper-sd draws in 2, 4, 8 steps"),
        ({"speed": "dmd2"}, "'lightning', 'lcm' or 'hyper-sd'"),
        ({"speed_lora": "file.safetensors"}, "goes with speed, its family"),
        ({"hurry": True}, "Extra inputs"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, problem):
    with pytest.raises(ValidationError, match=problem):
        GenerationSettings(**fields)


def test_a_file_of_ones_own_may_ask_for_other_steps():
    own = GenerationSettings(
        speed="hyper-sd", steps=12, guidance=5.0, speed_lora="Hyper-SDXL-12steps-CFG-lora.safetensors"
    )
    assert own.lora == "Hyper-SDXL-12steps-CFG-lora.safetensors"


def test_every_family_has_its_files_and_scheduler():
    assert GenerationSettings(speed="hyper-sd", steps=8, guidance=0).lora == (
        "ByteDance/Hyper-SD/Hyper-SDXL-8steps-lora.safetensors"
    )
    assert GenerationSettings(speed="lcm", steps=5, guidance=1.5).lora.startswith("latent-consistency/lcm-lora-sdxl/")
    for family in FEW_STEP_LORAS.values():
        assert set(family.options) <= set(getattr(diffusers, family.scheduler)().config)
