"""Make the whole family again, in order; every step resumes where it was stopped. Minutes on a GPU, days on a CPU."""

from __future__ import annotations

import subprocess
import sys

STEPS = (
    "data",
    "more_styles",
    "views",
    "vae",
    "base",
    "stages",
    "judges",
    "sharpen",
    "japanese",
    "specialist",
    "prompts",
    "publish family",
    "publish scorers",
    "check_family",
    "cards",
    "previews",
)


def main() -> None:
    """Run each step in a process of its own, so that its memory is free again for the next."""
    for step in STEPS:
        module, *arguments = step.split()
        subprocess.run([sys.executable, "-m", f"assets.training.{module}", *arguments], check=True)


if __name__ == "__main__":
    main()
