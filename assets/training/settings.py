"""Where things lie and the few numbers that every script shares."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import torch

ASSETS = Path(__file__).resolve().parents[1]
FAMILY = ASSETS / "family"
SCORERS = ASSETS / "scorers"
PROMPTS = ASSETS / "prompts"
#: Averaged weights of what was trained, in half precision: checkpoints outside of the repository outlive no machine.
KEPT = Path(__file__).with_name("kept")

#: Downloads and checkpoints: outside the repository, safe to delete, kept so that a stopped script goes on.
WORK = Path(os.environ.get("M2N2_TRAINING") or Path(platformdirs.user_cache_dir("m2n2-studio")) / "training")

#: A GPU makes a family in minutes, a core in days; both run the same scripts.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

PICTURE_SIZE = 64
LATENT_SIZE = 8
LATENT_CHANNELS = 8
TOKENS = 24
VOCABULARY = 2000

#: Unicode's emoji groups by their number in emojibase, under the names that the prompt sets use.
CATEGORIES = {3: "animals", 4: "food", 5: "travel", 6: "activities", 7: "objects"}
#: Two things side by side, a category of the prompt sets.
PAIRS = "pairs"

#: Picture styles, in the order of the picture array, and the word that names each in a caption.
#: Noto is the plain style: a caption that names none means Noto.
STYLES = ("noto", "twemoji", "fluent")
STYLE_WORDS = {"noto": "", "twemoji": "flat", "fluent": "glossy"}
