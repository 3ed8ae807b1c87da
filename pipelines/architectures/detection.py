"""Which model a UNet is, told from the names and shapes of its tensors, and what it predicts, told from its file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.errors import SourceError

from .prediction import StatedPrediction, marked_prediction, prediction_in, zero_terminal_snr_in

UNKNOWN_UNET = "unknown UNet"


@dataclass(frozen=True)
class UNetFamily:
    """A published family of UNets, and how one of it is recognised.

    Attributes:
        name: what people call it.
        text_width: of the text embeddings that cross-attention reads.
        pooled_width: of the pooled text embedding with the sizes behind it; 0: there is none.
        transformer_blocks: how many; distilled versions have the same widths and fewer of them. None: any number.
        prediction_type: what a model of it predicts whose file does not say, as diffusers' schedulers call it.
        text_to_image: whether the studio draws with it.
    """

    name: str
    text_width: int
    pooled_width: int = 0
    transformer_blocks: int | None = None
    prediction_type: str = "epsilon"
    text_to_image: bool = False


UNET_FAMILIES = (
    UNetFamily("SDXL", text_width=2048, pooled_width=2816, transformer_blocks=70, text_to_image=True),
    UNetFamily("SDXL refiner", text_width=1280, pooled_width=2560),
    UNetFamily("Stable Diffusion 1.5", text_width=768),
    UNetFamily("Stable Diffusion 2", text_width=1024),
)
_UNKNOWN_FAMILY = UNetFamily(UNKNOWN_UNET, text_width=0)


@dataclass(frozen=True)
class EditingInput:
    """The input that a UNet which edits pictures reads beside the latents: the encoded picture, perhaps a mask."""

    name: str
    masks: int  # channels

    def channels(self, latents: int) -> int:
        """Return the number of channels beside those of the latents."""
        return latents + self.masks


EDITING_INPUTS = (EditingInput("instruct-pix2pix", masks=0), EditingInput("inpaint", masks=1))


@dataclass(frozen=True)
class Architecture:
    """The kind of model that a UNet is, and what it predicts; its text is fit to be shown: `SDXL (v-prediction)`.

    Attributes:
        name: the kind, as a person knows it.
        prediction_type: as diffusers' schedulers call it.
        zero_terminal_snr: whether it was trained on a noise schedule that ends in pure noise.
        edm: whether it was trained on EDM's continuous noise levels (Playground 2.5, CosXL).
        text_to_image: whether it has SDXL's layout with latents in and latents out: what the studio draws with.
        sdxl_layout: whether it has SDXL's layout, what else it reads than latents aside.
        editing: the end of the name that says what else it reads than latents; empty where it reads nothing else.
    """

    name: str
    prediction_type: str = "epsilon"
    zero_terminal_snr: bool = False
    edm: bool = False
    text_to_image: bool = False
    sdxl_layout: bool = False
    editing: str = ""

    @property
    def family(self) -> str:
        """The kind without what else it reads: the weights of both have all but the first convolution in common."""
        return self.name.removesuffix(self.editing)

    @property
    def prediction(self) -> str:
        """What it predicts, in words."""
        return ("EDM " if self.edm else "") + self.prediction_type.replace("_", "-")

    def __str__(self) -> str:
        """Return the name, and in brackets what differs from the ordinary."""
        remarks = [self.prediction] * (self.prediction != "epsilon") + ["zero terminal SNR"] * self.zero_terminal_snr
        return f"{self.name} ({', '.join(remarks)})" if remarks else self.name


def detect_architecture(
    unet: Mapping[str, tuple[int, ...]],
    *,
    marks: Collection[str] = (),
    metadata: Mapping[str, str] | None = None,
    scheduler: Mapping[str, Any] | None = None,
    stated: StatedPrediction | None = None,
) -> Architecture:
    """Tell what kind of model a UNet is, and what it predicts.

    What it predicts cannot be seen in its shapes. A single file says it by tensors that are no weights (`v_pred`,
    `ztsnr`, `edm_vpred.sigma_max`, `edm_mean`) or in its metadata, a folder in its scheduler's configuration; they are
    asked in this order, and what its family predicts is what a model predicts that says nothing. Whoever names a source
    may say it otherwise, and is believed.

    Args:
        unet: canonical names and shapes.
        marks: keys of the single file it comes from; those that are weights do not matter here.
        metadata: of that file's header.
        scheduler: content of the folder's `scheduler_config.json`.
        stated: what is said where the source is named.
    """
    family = _family(unet) or _UNKNOWN_FAMILY
    remark = "" if family is _UNKNOWN_FAMILY else _editing_remark(unet)
    scheduler, metadata = scheduler or {}, metadata or {}
    predicted = marked_prediction(marks) or prediction_in(metadata)
    predicted = predicted or str(scheduler.get("prediction_type", family.prediction_type))
    zero_snr = "ztsnr" in marks or zero_terminal_snr_in(metadata) or bool(scheduler.get("rescale_betas_zero_snr"))
    if stated is not None:
        predicted = stated.prediction_type
        zero_snr = zero_snr if stated.zero_terminal_snr is None else stated.zero_terminal_snr
    return Architecture(
        family.name + remark,
        prediction_type=predicted,
        zero_terminal_snr=zero_snr,
        edm=any(mark.startswith("edm_") for mark in marks) or str(scheduler.get("_class_name")).startswith("EDM"),
        text_to_image=family.text_to_image and not remark,
        sdxl_layout=family.text_to_image,
        editing=remark,
    )


def refuse_mixing(named: Mapping[str, Architecture], *, across_editing: bool = False) -> None:
    """Refuse sources of different architectures, or that predict different things.

    Zero terminal SNR alone is no reason: the weights are of one kind, the schedule is the host's, and many files that
    were trained with it do not say so.

    Args:
        named: source name to architecture.
        across_editing: whether models that edit pictures may stand beside those that draw from text.

    Raises:
        SourceError: two sources that cannot be merged; names both and both architectures.
    """
    (first, expected), *others = named.items()
    for name, architecture in others:
        same = architecture.family == expected.family if across_editing else architecture.name == expected.name
        if not same:
            raise SourceError(
                "{name} is {architecture}, {first} is {expected}. Expected sources of one architecture, as the "
                "weights of different ones have nothing in common: leave one of the two out.",
                name=name,
                architecture=architecture,
                first=first,
                expected=expected,
            )
        if architecture.prediction != expected.prediction:
            raise SourceError(
                "{name} is {architecture}, {first} is {expected}. Expected one prediction type, found "
                "{found} and {wanted}, whose average would be noise: leave one of the "
                "two out. If a model is taken for what it is not, its file does not say what it predicts: say it "
                "where the source is named, as 'FILE as v-prediction' or 'FILE as epsilon'. `m2n2 sources inspect "
                "--probe FILE` tells which it is.",
                name=name,
                architecture=architecture,
                first=first,
                expected=expected,
                found=architecture.prediction,
                wanted=expected.prediction,
            )


def refuse_undrawable(named: Mapping[str, Architecture]) -> None:
    """Refuse sources that cannot be merged, or with whose merge the studio cannot draw; see `refuse_mixing`."""
    refuse_mixing(named)
    first, architecture = next(iter(named.items()))
    if not architecture.text_to_image or architecture.edm:
        raise _not_bred(first, architecture)


def refuse_unwritable(named: Mapping[str, Architecture], host: str, layout: Architecture) -> None:
    """Refuse sources whose merge cannot be written.

    Args:
        named: source name to architecture, of those that are merged.
        host: the source whose layout the result has. One that edits pictures may stand beside others that draw from
            text, as they differ in the first convolution alone; what it predicts matters only if it is merged too.
        layout: the host's architecture.

    Raises:
        SourceError: see `refuse_mixing`; or a model that edits pictures beside a host that does not.
    """
    first = next(iter(named.values()))
    expected = layout if host in named else replace(layout, prediction_type=first.prediction_type, edm=first.edm)
    refuse_mixing({host: expected, **named}, across_editing=True)
    for name, architecture in named.items():
        if architecture.editing not in ("", expected.editing):
            raise SourceError(
                "{name} is {architecture}, {host} is {layout}. Expected the one that edits pictures as the host, "
                "whose first convolution the result has: --host {name}.",
                name=name,
                architecture=architecture,
                host=host,
                layout=layout,
            )
    if not (expected.text_to_image or expected.sdxl_layout) or expected.edm:
        raise _not_bred(host, expected)


def _not_bred(name: str, architecture: Architecture) -> SourceError:
    return SourceError(
        "{name} is {architecture}. Expected SDXL that draws from text, with epsilon or v-prediction; other models are "
        "not bred.",
        name=name,
        architecture=architecture,
    )


def _family(unet: Mapping[str, tuple[int, ...]]) -> UNetFamily | None:
    """Return the row that names and shapes give, or one for a relative of SDXL; None for what is no known UNet."""
    latents, noise, pooled = _shapes_of(unet, "conv_in", "conv_out", "add_embedding.linear_1")
    text = next((shape for name, shape in unet.items() if name.endswith(".attn2.to_k.weight")), ())
    if len(latents) < 2 or not noise or len(text) < 2 or len(pooled) == 1:
        return None
    width, pooled_width = text[1], pooled[1] if pooled else 0
    blocks = sum(name.endswith(".attn1.to_q.weight") for name in unet)
    for family in UNET_FAMILIES:
        if (family.text_width, family.pooled_width) == (width, pooled_width):
            if family.transformer_blocks in (None, blocks):
                return family
            return replace(family, name=f"{family.name} layout, {blocks} transformer blocks")
    if not pooled:
        return None
    name = f"SDXL layout, {width} wide cross-attention"
    return UNetFamily(name, text_width=width, pooled_width=pooled_width, text_to_image=True)


def _editing_remark(unet: Mapping[str, tuple[int, ...]]) -> str:
    """Return what follows the family's name where the UNet reads more than it predicts; empty where it does not."""
    latents, noise = _shapes_of(unet, "conv_in", "conv_out")
    extra = latents[1] - noise[0]
    if extra == 0:
        return ""
    names = (f" {row.name}" for row in EDITING_INPUTS if row.channels(noise[0]) == extra)
    return next(names, f", {latents[1]} input channels")


def _shapes_of(unet: Mapping[str, tuple[int, ...]], *modules: str) -> list[tuple[int, ...]]:
    """Return the shapes of modules' weights; empty ones for those that are not there."""
    return [unet.get(f"{module}.weight", ()) for module in modules]
