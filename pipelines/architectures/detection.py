"""Which model a UNet is, told from the names and shapes of its tensors, and what it predicts, told from its file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import SourceError

UNKNOWN = "unknown UNet"
_SDXL, _SDXL_BLOCKS = "SDXL", 70  # transformer blocks: distilled versions have its widths and fewer of them
_NAMES = {  # width of the text embeddings, width of the pooled embedding with the sizes (0: there is none)
    (2048, 2816): _SDXL,
    (1280, 2560): "SDXL refiner",
    (768, 0): "Stable Diffusion 1.5",
    (1024, 0): "Stable Diffusion 2",
}
_SPELLINGS = {"epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}


@dataclass(frozen=True)
class Architecture:
    """What a UNet is; its text is fit to be shown to a person: `SDXL (v-prediction)`."""

    name: str
    prediction_type: str = "epsilon"  # as diffusers' schedulers call it
    zero_terminal_snr: bool = False  # trained on a noise schedule that ends in pure noise
    edm: bool = False  # trained on EDM's continuous noise levels (Playground 2.5, CosXL)
    text_to_image: bool = False  # SDXL's layout with latents in and latents out: what the studio draws with

    @property
    def prediction(self) -> str:
        """What it predicts, in words."""
        return ("EDM " if self.edm else "") + self.prediction_type.replace("_", "-")

    def __str__(self) -> str:
        """The name, and in brackets what differs from the ordinary."""
        remarks = [self.prediction] * (self.prediction != "epsilon") + ["zero terminal SNR"] * self.zero_terminal_snr
        return f"{self.name} ({', '.join(remarks)})" if remarks else self.name


def recognise(
    unet: Mapping[str, tuple[int, ...]],
    *,
    marks: Collection[str] = (),
    metadata: Mapping[str, str] | None = None,
    scheduler: Mapping[str, Any] | None = None,
) -> Architecture:
    """What a UNet is.

    What it predicts cannot be seen in its shapes. A single file says it by tensors that are no weights (`v_pred`,
    `ztsnr`, `edm_vpred.sigma_max`, `edm_mean`) or in its metadata, a folder in its scheduler's configuration; they are
    asked in this order, and epsilon is what a model predicts that says nothing.

    Args:
        unet: canonical names and shapes.
        marks: keys of the single file it comes from; those that are weights do not matter here.
        metadata: of that file's header.
        scheduler: content of the folder's `scheduler_config.json`.
    """
    name, text_to_image = _name(unet)
    scheduler = scheduler or {}
    scheduled = str(scheduler.get("prediction_type", "epsilon"))
    return Architecture(
        name,
        prediction_type=_marked(marks) or _stated(metadata or {}) or scheduled,
        zero_terminal_snr="ztsnr" in marks or bool(scheduler.get("rescale_betas_zero_snr")),
        edm=any(mark.startswith("edm_") for mark in marks) or str(scheduler.get("_class_name")).startswith("EDM"),
        text_to_image=text_to_image,
    )


def refuse_mixing(named: Mapping[str, Architecture]) -> None:
    """Refuse sources of different architectures, or that predict different things.

    Zero terminal SNR alone is no reason: the weights are of one kind, the schedule is the host's, and many files that
    were trained with it do not say so.

    Args:
        named: source name to architecture.

    Raises:
        SourceError: two sources that cannot be merged; names both and both architectures.
    """
    (first, one), *others = named.items()
    for name, other in others:
        if other.name != one.name:
            raise SourceError(
                f"{name} is {other}, {first} is {one}. Expected sources of one architecture, as the weights of "
                "different ones have nothing in common: leave one of the two out."
            )
        if other.prediction != one.prediction:
            raise SourceError(
                f"{name} is {other}, {first} is {one}. Expected one prediction type, found {other.prediction} and "
                f"{one.prediction}, whose average would be noise: leave one of the two out. If a model is taken for "
                "what it is not, its file does not say what it predicts: a single file says v-prediction by an empty "
                "tensor v_pred or the metadata modelspec.prediction_type, a folder by its scheduler's prediction_type."
            )


def _name(unet: Mapping[str, tuple[int, ...]]) -> tuple[str, bool]:
    """The name that names and shapes give, and whether it is SDXL's layout with latents in and out."""
    latents, noise, pooled = (
        unet.get(f"{module}.weight", ()) for module in ("conv_in", "conv_out", "add_embedding.linear_1")
    )
    text = next((shape for name, shape in unet.items() if name.endswith(".attn2.to_k.weight")), ())
    if len(latents) < 2 or not noise or len(text) < 2 or len(pooled) == 1:
        return UNKNOWN, False
    width, blocks = text[1], sum(name.endswith(".attn1.to_q.weight") for name in unet)
    name = _NAMES.get((width, pooled[1] if pooled else 0))
    if name == _SDXL and blocks != _SDXL_BLOCKS:
        name = f"SDXL layout, {blocks} transformer blocks"
    elif name is None and pooled:
        name = f"SDXL layout, {width} wide cross-attention"
    elif name is None:
        return UNKNOWN, False
    extra = latents[1] - noise[0]  # channels beside the latents: a picture to edit, or a masked one and its mask
    tails = {0: "", noise[0]: " instruct-pix2pix", noise[0] + 1: " inpaint"}
    tail = tails.get(extra, f", {latents[1]} input channels")
    return name + tail, bool(pooled) and not tail and name != "SDXL refiner"


def _marked(marks: Collection[str]) -> str | None:
    """What a single file's own tensors say; EDM models that do not predict v predict noise."""
    if "v_pred" in marks or any(mark.startswith("edm_vpred.") for mark in marks):
        return "v_prediction"
    return "epsilon" if "edm_mean" in marks else None


def _stated(metadata: Mapping[str, str]) -> str | None:
    """What a single file's metadata says."""
    stated = (metadata.get(f"modelspec.{key}", "").lower() for key in ("prediction_type", "predict_key"))
    return next((_SPELLINGS[value] for value in stated if value in _SPELLINGS), None)
