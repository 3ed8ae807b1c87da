"""What a single file of a recipe holds: every tensor under its SGM name, and what programs expect beside them."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from pipelines.architectures import sdxl_single_file
from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.checkpoints.contents import TOKENIZERS
from pipelines.checkpoints.sources import Source
from pipelines.errors import ExportError, SourceError
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import FileEntry

LOGIT_SCALE = "logit_scale"  # canonical name
BUFFERS = (LOGIT_SCALE, "text_model.embeddings.position_ids")  # in single files; diffusers' own modules have none
_CLIP_G_LOGIT_SCALE = 4.6052  # ln 100, where CLIP's training clips it; no picture depends on it


def single_file_entries(plan: Plan) -> list[FileEntry]:
    """Return what a single file of a plan holds.

    That is the four components, `position_ids`, `logit_scale`, and marks of what the UNet predicts.

    Raises:
        ExportError: a tokenizer or a text encoder that no single file can hold.
        RecipeError: the host does not have what it is to lend.
    """
    _refuse_foreign_text(plan)
    entries = []
    for part in WEIGHTED_COMPONENTS:
        planned = {tensor.name: tensor for tensor in plan.tensor_plans(part)}
        try:
            file_tensors = sdxl_single_file.to_single_file(
                part, {name: tensor.shape for name, tensor in planned.items()}
            )
        except SourceError as error:
            raise ExportError("A single file cannot hold this {part}: {error}", part=part, error=error) from error
        for tensor in file_tensors:
            parts = tuple(planned[name] for name in tensor.parts)
            entries.append(FileEntry(tensor.key, tensor.shape, parts[0].dtype, parts, tensor.transposed))
    buffers = {entry.key: entry for entry in _buffers(plan)}
    return [*(entry for entry in entries if entry.key not in buffers), *buffers.values(), *_marks(plan)]


def logit_scale(source: Source) -> float:
    """Return CLIP-G's `logit_scale`: a single file holds it as a tensor, an exported folder in its configuration."""
    encoder = source.components["text_encoder_2"]
    if LOGIT_SCALE in encoder.tensors:
        return float(encoder.read(LOGIT_SCALE))
    return float(source.config("text_encoder_2").get("logit_scale_init_value", _CLIP_G_LOGIT_SCALE))


def _buffers(plan: Plan) -> Iterator[FileEntry]:
    """Yield tensors of the text encoders that are no weights; some programs ask for them.

    `position_ids` are always made anew: many a file has them in half precision, rounded by a careless merge.
    """
    positions = plan.lender("text_encoder").config("text_encoder")["max_position_embeddings"]
    ids = torch.arange(positions).reshape(1, positions)
    yield FileEntry(sdxl_single_file.POSITION_IDS, tuple(ids.shape), torch.int64, value=ids)
    dtype = plan.rest_dtype or next(tensor.dtype for tensor in plan.tensor_plans("text_encoder_2"))
    scale = logit_scale(plan.lender("text_encoder_2"))
    yield FileEntry(sdxl_single_file.LOGIT_SCALE, (), dtype, value=torch.tensor(scale))


def _marks(plan: Plan) -> Iterator[FileEntry]:
    """Yield tensors that say what the UNet predicts, and on which noise schedule: the one that previews drew with."""
    scheduler = plan.scheduler_config()
    marks = {
        "v_pred": scheduler["prediction_type"] == "v_prediction",
        "ztsnr": scheduler.get("rescale_betas_zero_snr", False),
    }
    for key, applies in marks.items():
        if applies:
            yield FileEntry(key, (0,), torch.float32, value=torch.zeros(0))


def _refuse_foreign_text(plan: Plan) -> None:
    """Refuse another tokenizer than CLIP's: programs that open single files bring that, and would lose another one."""
    for part in TOKENIZERS:
        lender = plan.lender(part)
        class_name = (lender.contents.index.get(part) or ["", "none"])[1]
        if class_name not in ("CLIPTokenizer", "CLIPTokenizerFast"):
            raise ExportError(
                "{source} has a {part} of its own ({class_name}), which a single file cannot hold: ComfyUI and "
                "A1111 would feed its text encoder with CLIP's words. Export a diffusers folder, or take the text "
                "encoders from another host.",
                source=lender.name,
                part=part,
                class_name=class_name,
            )
