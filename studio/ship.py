"""Export an individual: the checkpoint, its card, its recipe, its licences and the pictures it was judged by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipelines.export import export_folder

from .config import RunConfig
from .evaluate import noise_seed
from .ledger import Inherited, common_licence, inherited, licence_texts
from .models import open_recipe_sources
from .store import Individual, RunStore

SAMPLES = 6


def ship(
    store: RunStore,
    id: str,
    target: str | Path,
    *,
    title: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write an individual of a run as a diffusers folder.

    Args:
        store: the run.
        id: the individual.
        target: the folder to make; must not exist or be empty.
        title: what to call it; the folder's name if left out.
        progress: told (bytes written, bytes in all).

    Raises:
        M2N2Error: see `pipelines.export.export_folder`; the sources are gone or changed.
    """
    individual = store.individual(id)
    sources = open_recipe_sources(individual.recipe)
    entries = inherited(individual.recipe, sources)
    samples = store.images(id)[:SAMPLES]
    documents = {
        "README.md": card(
            store, individual, entries, title or Path(target).name, [file.name for file in samples]
        ).encode(),
        **licence_texts(entries, sources),
        **{f"samples/{file.name}": file.read_bytes() for file in samples},
    }
    recipe = individual.recipe.model_copy(update={"name": title or individual.recipe.name})
    return export_folder(recipe, sources, target, documents=documents, progress=progress)


def card(store: RunStore, individual: Individual, entries: list[Inherited], title: str, samples: list[str]) -> str:
    """The model card: front matter as the Hugging Face hub reads it, then what it is made of and how it scored."""
    front: dict[str, Any] = {
        "language": ["ja", "en"],
        "license": common_licence(entries),
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "base_model_relation": "merge",
        "tags": ["merge", "m2n2", "stable-diffusion-xl"],
    }
    if front["license"] == "other":
        front["license_name"] = "see-licences-folder"
    lines = [
        "---",
        yaml.safe_dump(front, allow_unicode=True, sort_keys=False).strip(),
        "---",
        f"# {title}",
        "",
        f"A merge of {len(entries)} SDXL checkpoints, bred with M2N2 (individual {individual.id} of run {store.name}). "
        "`recipe.json` rebuilds the same bytes from the same sources: `m2n2 merge recipe.json --out FOLDER`.",
        "",
        "| source | licence | gives | what the licence asks |",
        "| --- | --- | --- | --- |",
        *(
            f"| {one.name} | {one.licence or 'unknown'} | {', '.join(one.parts)} | {one.duty('en') or 'read it'} |"
            for one in entries
        ),
        "",
        f"Mean scores on the {len(store.config.niches())} prompts it was bred on, by {Path(store.config.scorer).name}:",
        "",
        *(
            f"- {kind}: {individual.scores[kind].mean():.4f}"
            for kind in ("ja", "en", "consistency")
            if kind in individual.scores
        ),
        "",
        "```python",
        snippet(title, store.config),
        "```",
        "",
        *(f"![{name}](samples/{name})" for name in samples),
        "",
    ]
    return "\n".join(lines)


def snippet(folder: str, config: RunConfig) -> str:
    """Python that draws a run's first caption from an exported folder with plain diffusers, as the studio draws it."""
    first, settings = config.niches().prompts[0], config.pictures
    size = f", height={settings.size}, width={settings.size}" if settings.size else ""
    return (
        "import torch\n"
        "from diffusers import StableDiffusionXLPipeline\n\n"
        f"pipeline = StableDiffusionXLPipeline.from_pretrained({_quoted(folder)}, dtype=torch.float32)\n"
        f"pipeline({_quoted(first.ja or first.en or '')}, num_inference_steps={settings.steps}, "
        f"guidance_scale={settings.guidance}{size},\n"
        f'         generator=torch.Generator("cpu").manual_seed({noise_seed(first.id, 0)})'
        ').images[0].save("picture.png")'
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
