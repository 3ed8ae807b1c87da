"""The embedded family: four small SDXL checkpoints, two CLIP models that judge them, and prompt sets; see README.md.

family/     sources: diffusers folders base, ja, flat, real; a UNet alone, late; a LoRA on base, glossy
scorers/    judge (fitness) and jury (reports only): open_clip folders
prompts/    evolve.yaml and held_out.yaml, with reference pictures
training/   the scripts that made them
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent

FAMILY = _HERE / "family"
JUDGE = _HERE / "scorers" / "judge"
JURY = _HERE / "scorers" / "jury"
EVOLVE = _HERE / "prompts" / "evolve.yaml"
HELD_OUT = _HERE / "prompts" / "held_out.yaml"
NAMES = ("base", "ja", "flat", "real")


def sources() -> list[Path]:
    """The folders of the sources that the studio begins with, the base first."""
    return [FAMILY / name for name in NAMES]


def all_sources() -> list[str]:
    """All six as a run file writes them: the folders, the UNet alone, and the LoRA baked into its base."""
    late, glossy = (FAMILY / f"{name}.safetensors" for name in ("late", "glossy"))
    return [*map(str, sources()), str(late), f"glossy = {FAMILY / 'base'} + 1.0 * {glossy}"]
