"""Six pictures of each source as it lies on disk, for its card: three captions, each in Japanese and in English.

    python -m assets.training.previews

The same captions and the same noise for every source, so that one sees at a glance who understands what and draws it
how. A file's name holds its place, its prompt's id and its language.
"""

from __future__ import annotations

import shutil

import assets
from eval.prompts.prompt_set import load_prompts
from pipelines.checkpoints.sources import open_source
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import blend

PROMPTS = ("1face", "1f951", "1f39e")  # a moose, an avocado, film frames
SEED = 7


def main() -> None:
    """Draw and write `previews/` in every source's folder."""
    known = {prompt.id: prompt for prompt in load_prompts(assets.HELD_OUT).prompts}
    wanted: list[tuple[str, PictureRequest]] = []
    for id in PROMPTS:
        for language, caption in (("ja", known[id].ja), ("en", known[id].en)):
            wanted.append((f"{len(wanted)}-{id}-{language}.png", PictureRequest(str(caption), SEED)))
    for path in assets.sources():
        source = open_source(path)
        whole = blend([source], {"attention": [1.0], "backbone": [1.0]}, host={"default": source.name})
        pipeline = LivePipeline(whole, {source.name: source})
        pictures = pipeline.generate([asked for _, asked in wanted], GenerationSettings(batch=1))
        shutil.rmtree(path / "previews", ignore_errors=True)
        (path / "previews").mkdir()
        for (name, _), picture in zip(wanted, pictures, strict=True):
            picture.save(path / "previews" / name, optimize=True)


if __name__ == "__main__":
    main()
