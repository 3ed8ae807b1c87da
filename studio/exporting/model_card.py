"""The model card of an export: front matter as the Hugging Face hub reads it, what it is made of, how to open it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from pipelines.checkpoints.hub_names import parse_hub_id
from pipelines.exporting.export import CONFIG_FOLDER, PRECISIONS, SINGLE_FILE_SUFFIX, about_folder
from pipelines.generation.prompt_syntax import PLAIN
from pipelines.generation.settings import FEW_STEP_LORAS, GenerationSettings
from pipelines.weaving.plan import Plan
from studio.licences.inheritance import InheritedLicence, all_terms, common_licence
from studio.markdown import link_target, markdown_text

from .card_content import CardContent, CardPicture, CardScore, ExampleDrawing
from .licence_papers import attribution_lines, licence_table, permission_table, statement_lines, warning_lines


def model_card(
    plan: Plan, content: CardContent, entries: list[InheritedLicence], checkpoint: str, hashes: Mapping[str, str]
) -> str:
    """Write the model card, `README.md`.

    Args:
        plan: what was built.
        content: what is known of it beside.
        entries: what it inherits.
        checkpoint: the name of its folder or file.
        hashes: SHA-256 by what was hashed.
    """
    lines = [
        "---",
        _front_matter(content, entries).to_yaml().strip(),
        "---",
        f"# {markdown_text(content.title)}",
        "",
        *warning_lines(entries),
        *statement_lines(plan),
        content.summary,
        "",
        "## What it inherits",
        "",
        *licence_table(plan, entries),
        "",
        *permission_table(entries),
        "",
        *attribution_lines(content),
        *_scores(content.scores),
        *_samples(content.samples),
        "## How to open it",
        "",
        *_how_to(plan, content, checkpoint),
        "",
        "## The same again",
        "",
        f"`recipe.json` rebuilds the same tensors from the same sources: `{_command(plan, checkpoint)}`.",
        "",
        *(f"- sha256 of {what}: `{digest}`" for what, digest in hashes.items()),
        "",
    ]
    return "\n".join(lines)


def diffusers_snippet(checkpoint: str, drawing: ExampleDrawing | None, *, full_size: bool) -> str:
    """Write Python that draws a picture from an export with plain diffusers, as the studio draws it.

    Args:
        checkpoint: path of a folder or a single file.
        drawing: what to draw.
        full_size: whether it is SDXL itself, which wants a GPU.
    """
    dtype = "float16" if full_size else "float32"
    if checkpoint.endswith(SINGLE_FILE_SUFFIX):
        config = str(about_folder(Path(checkpoint)) / CONFIG_FOLDER)
        loader = f"from_single_file(\n    {_quoted(checkpoint)}, config={_quoted(config)}, dtype=torch.{dtype}\n)"
    else:
        loader = f"from_pretrained({_quoted(checkpoint)}, dtype=torch.{dtype})"
    lines = [
        *(["import diffusers"] if drawing and drawing.settings.speed else []),
        "import torch",
        "from diffusers import StableDiffusionXLPipeline",
        *([_EMBEDDING] if drawing and drawing.syntax != PLAIN else []),
        "",
        f"pipeline = StableDiffusionXLPipeline.{loader}" + ('.to("cuda")' if full_size else ""),
    ]
    if drawing is None:
        return "\n".join([*lines, 'pipeline("a photo of a cat").images[0].save("picture.png")'])
    settings = drawing.settings
    prompt = _quoted(drawing.caption)
    if drawing.syntax != PLAIN:
        prompt = f"**embed_prompts(pipeline, [{prompt}])"
    size = f", height={settings.size}, width={settings.size}" if settings.size else ""
    return "\n".join(
        [
            *lines,
            *_few_step(settings),
            f"pipeline({prompt}, num_inference_steps={settings.steps}, guidance_scale={settings.guidance}{size},",
            f'         generator=torch.Generator("cpu").manual_seed({drawing.seed})).images[0].save("picture.png")',
        ]
    )


_EMBEDDING = "from pipelines.generation.prompt_chunks import embed_prompts  # of m2n2-studio; reads (word:1.2), BREAK"


def _few_step(settings: GenerationSettings) -> list[str]:
    """Write the lines that put a few-step LoRA and its scheduler beside the weights, which never hold it."""
    if settings.speed is None or settings.lora is None:
        return []
    family = FEW_STEP_LORAS[settings.speed]
    named = parse_hub_id(settings.lora)
    file = Path(settings.lora if named is None else named.file or "").name
    where = "." if named is None else named.repo  # a path of this machine is nobody's business
    options = "".join(f", {key}={value!r}" for key, value in family.options.items())
    return [
        f"pipeline.load_lora_weights({_quoted(where)}, weight_name={_quoted(file)})",
        f"pipeline.scheduler = diffusers.{family.scheduler}.from_config(pipeline.scheduler.config{options})",
    ]


def is_full_size(plan: Plan) -> bool:
    """Whether a checkpoint has SDXL's own shapes, which ComfyUI and A1111 know."""
    return plan.lender("unet").architecture.name == "SDXL"


def _front_matter(content: CardContent, entries: list[InheritedLicence]) -> ModelCardData:
    licence = common_licence(entries)
    named = {"license_name": "-and-".join(all_terms(entries)), "license_link": "LICENSE.md"}
    repositories = list(dict.fromkeys(entry.origin.repo for entry in entries if entry.origin.repo))
    return ModelCardData(
        language=list(content.languages) or None,
        license=licence,
        **(named if licence == "other" else {}),
        library_name="diffusers",
        pipeline_tag="text-to-image",
        base_model=repositories or None,
        base_model_relation="merge",
        tags=["merge", "m2n2", "stable-diffusion-xl"],
        model_name=content.title,
        eval_results=[_result(score) for score in content.scores] or None,
    )


def _result(score: CardScore) -> EvalResult:
    return EvalResult(
        task_type="text-to-image",
        dataset_type=score.prompts,
        dataset_name=f"{score.prompts} ({score.split})",
        dataset_split=score.split,
        metric_type="clip-similarity",
        metric_name=f"{_KINDS[score.kind]}, by {score.by}",
        metric_value=round(score.mean, 4),
    )


_KINDS = {
    "ja": "Japanese captions and pictures",
    "en": "English captions and pictures",
    "consistency": "pictures of the two languages",
}


def _scores(scores: Iterable[CardScore]) -> list[str]:
    rows = [
        f"| {markdown_text(score.prompts)} ({score.split}) | {_KINDS[score.kind]} | {score.mean:.4f} | "
        f"{markdown_text(score.by)} |"
        for score in scores
    ]
    table = ["| captions | similarity of | mean | by |", "| --- | --- | --- | --- |", *rows]
    note = "Means of CLIP similarities, from 0 to 1, comparable only within one scorer. A proxy: look at the pictures."
    return ["## Scores", "", note, "", *table, ""] if rows else []


def _samples(samples: Iterable[CardPicture]) -> list[str]:
    pictures = [f"![{markdown_text(sample.caption)}](samples/{link_target(sample.name)})" for sample in samples]
    note = "The first caption of each category, none of them chosen by score."
    return ["## Pictures", "", note, "", *pictures, ""] if pictures else []


def _how_to(plan: Plan, content: CardContent, checkpoint: str) -> list[str]:
    is_file, full_size = checkpoint.endswith(SINGLE_FILE_SUFFIX), is_full_size(plan)
    lines = [
        "With diffusers:",
        "",
        "```python",
        diffusers_snippet(checkpoint, content.drawing, full_size=full_size),
        "```",
        "",
    ]
    if not full_size:
        architecture = plan.lender("unet").architecture
        return [*lines, f"ComfyUI and A1111 know the shapes of SDXL only; this is {architecture}."]
    if not is_file:
        return [*lines, "For ComfyUI and A1111 export it as a single file."]
    return [
        *lines,
        f"ComfyUI: put `{checkpoint}` into `models/checkpoints` and choose it in *Load Checkpoint*.",
        "",
        "A1111 and Forge: put it into `models/Stable-diffusion` and press the refresh button beside the list.",
    ]


def _command(plan: Plan, checkpoint: str) -> str:
    dtype = "".join(f" --dtype {name}" for name, kind in PRECISIONS.items() if kind == plan.dtype)
    return f"m2n2 merge recipe.json{dtype} --out {shlex.quote(checkpoint)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
