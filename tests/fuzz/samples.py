"""A sound file of each kind, for others to be made of."""

import json
from pathlib import Path

import assets
from studio.runs.config import embedded

BEFORE = Path(__file__).parents[1] / "data" / "before_rooms"
JUDGE = next(path for path in (assets.FAMILY.parent / "scorers").iterdir() if path.is_dir())


PROMPTS = {
    "format": "m2n2-prompts",
    "version": 1,
    "name": "x",
    "description": "y",
    "prompts": [
        {"id": "a", "category": "b", "ja": "カメ", "en": "turtle", "reference": "a.png"},
        {"id": "2", "category": "b", "en": "cat"},
    ],
}
TABLE = 'id,category,ja,en\n1,animals,"カメ, 亀","a ""turtle"""\n2,food,,tea\n'
CAPTIONS = {
    "images": [{"id": number, "file_name": f"{number}.jpg"} for number in range(4)],
    "annotations": [{"id": number, "image_id": number, "caption": "ねこ"} for number in range(4)],
}
RUN = {**embedded().model_dump(mode="json"), "sources": [str(path) for path in assets.sources()]}
ANY = {
    "kind": "any",
    "sources": ["a", "b"],
    "chromosomes": {"attn": ["*.attn.*"]},
    "scorer": "score.py:score",
    "evaluations": 4,
    "archive": 5,
    "breeding": {"beta": 1.0},
}
RECIPE = json.loads((assets.FAMILY.parent / "recipes" / "evo-ukiyoe-base.json").read_text("utf-8"))
VOTE = {
    "version": 1,
    "time": "2026-01-02T03:04:05",
    "rater": "美咲",
    "reads": "ja",
    "prompt": "a",
    "language": "ja",
    "noise": 0,
    "seed": 3,
    "left": "0001",
    "right": "ja",
    "answer": "left",
    "left_score": 0.1,
    "right_score": None,
}
MARK = {"recipe": "ab", "individual": "1", "rater": "x", "stars": 3, "tags": ["a"], "note": "b"}
MEASURED = {
    "when": "2026-01-02T03:04:05+00:00",
    "environment": {},
    "damaged": {},
    "scores": {"ja": [[0.1]]},
    "repeat": None,
}
CERTIFICATE = {
    "run": "first",
    "individual": "0001",
    "born": "2026-01-02T03:04:05+00:00",
    "prompts": PROMPTS,
    "noises": 1,
}
CARD = {"license": "mit", "license_name": "x", "language": ["ja"], "base_model": ["a/b"], "tags": ["x"]}
DRAWN = {"recipe": "ab" * 32, "individual": "first/0001", "seed": 7, "prompt": "a cat"}
STATUS = {"state": "running", "stage": "pictures", "done": 1, "of": 2, "began": 1.0, "started": 2.0}
SOURCES = {"format": "m2n2-sources", "version": 1, "sources": ["owner/name", "/models/a.safetensors"]}
HEADER = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"modelspec.title": "x"}}


CONFIGS = [
    "model_index.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "text_encoder_2/config.json",
]
CELLS = [
    *(("individuals", name) for name in ("recipe", "born", "seconds", "mother", "error", "alive")),
    *(("scores", name) for name in ("values", "noises", "kind")),
    ("state", "value"),
]
