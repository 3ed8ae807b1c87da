"""Architectures: told apart by the true shapes of the published models, and by what their files say they predict."""

import pytest

from pipelines.architectures.detection import (
    EDITING_INPUTS,
    UNET_FAMILIES,
    UNKNOWN_UNET,
    Architecture,
    detect_architecture,
    refuse_mixing,
)
from pipelines.architectures.prediction import STATED_PREDICTIONS
from pipelines.errors import SourceError
from tests.full_keys import FULL_UNETS, full_unet, shapes


@pytest.fixture(scope="module")
def sdxl():
    return shapes(full_unet("SDXL"))


def with_input(unet, channels):
    return {**unet, "conv_in.weight": (320, channels, 3, 3)}


@pytest.mark.parametrize("name", FULL_UNETS)
def test_published_models(name):
    found = detect_architecture(shapes(full_unet(name)))
    assert str(found) == name
    assert found.text_to_image == (name == "SDXL")


def test_every_family_is_recognised_by_the_shapes_of_a_published_model():
    assert [row.name for row in UNET_FAMILIES] == list(FULL_UNETS)
    assert len({(row.text_width, row.pooled_width) for row in UNET_FAMILIES}) == len(UNET_FAMILIES)
    for row in UNET_FAMILIES:
        found = detect_architecture(shapes(full_unet(row.name)))
        assert (found.name, found.prediction_type, found.text_to_image) == (
            row.name,
            row.prediction_type,
            row.text_to_image,
        )


@pytest.mark.parametrize("row", EDITING_INPUTS, ids=lambda row: row.name)
def test_every_editing_input_is_recognised(sdxl, row):
    found = detect_architecture(with_input(sdxl, 4 + row.channels(4)))
    assert (found.name, found.text_to_image) == (f"SDXL {row.name}", False)


@pytest.mark.parametrize(
    ("channels", "name"),
    [(9, "SDXL inpaint"), (8, "SDXL instruct-pix2pix"), (5, "SDXL, 5 input channels")],
)
def test_other_inputs_are_other_models(sdxl, channels, name):
    found = detect_architecture(with_input(sdxl, channels))
    assert (found.name, found.text_to_image) == (name, False)


def test_inpainting_on_other_bases():
    assert (
        detect_architecture(with_input(shapes(full_unet("Stable Diffusion 1.5")), 9)).name
        == "Stable Diffusion 1.5 inpaint"
    )


def test_a_distilled_sdxl_is_another_model():
    distilled = detect_architecture(shapes(full_unet("SDXL", transformer_layers_per_block=(1, 2, 4))))
    assert distilled.name == "SDXL layout, 34 transformer blocks"  # 4 + 8 down, 4 in the middle, 12 + 6 up
    assert distilled.text_to_image


def test_the_embedded_family_is_of_sdxls_layout(family):
    """Its latents have 8 channels, in and out: no instruct-pix2pix."""
    for source in family.values():
        unet = {name: ref.shape for name, ref in source.components["unet"].tensors.items()}
        found = detect_architecture(
            unet, scheduler={"prediction_type": "v_prediction", "rescale_betas_zero_snr": False}
        )
        assert str(found) == "SDXL layout, 160 wide cross-attention (v-prediction)"
        assert found.text_to_image


@pytest.mark.parametrize(
    "unet",
    [
        {},
        {"conv_in.weight": (320, 4, 3, 3)},
        {"conv_in.weight": (), "conv_out.weight": (4,), "a.attn2.to_k.weight": (8, 768)},
        {"conv_in.weight": (320, 4, 3, 3), "conv_out.weight": (4, 320, 3, 3), "a.attn2.to_k.weight": (8, 333)},
    ],
)
def test_what_is_no_known_unet(unet):
    assert detect_architecture(unet) == Architecture(UNKNOWN_UNET)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({}, "SDXL"),
        ({"marks": {"v_pred"}}, "SDXL (v-prediction)"),
        ({"marks": ["v_pred", "ztsnr", "conv_in.weight"]}, "SDXL (v-prediction, zero terminal SNR)"),
        ({"marks": {"edm_vpred.sigma_max", "edm_vpred.sigma_min"}}, "SDXL (EDM v-prediction)"),
        ({"marks": {"edm_mean", "edm_std"}}, "SDXL (EDM epsilon)"),
        ({"metadata": {"modelspec.prediction_type": "v"}}, "SDXL (v-prediction)"),
        ({"metadata": {"modelspec.predict_key": "v"}}, "SDXL (v-prediction)"),
        ({"metadata": {"modelspec.prediction_type": "Epsilon", "modelspec.predict_key": "v"}}, "SDXL"),
        ({"metadata": {"modelspec.prediction_type": "no idea"}}, "SDXL"),
        ({"scheduler": {"prediction_type": "v_prediction"}}, "SDXL (v-prediction)"),
        ({"scheduler": {"prediction_type": "sample"}}, "SDXL (sample)"),
        (
            {"scheduler": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}},
            "SDXL (v-prediction, zero terminal SNR)",
        ),
        (
            {"scheduler": {"prediction_type": "v_prediction", "_class_name": "EDMEulerScheduler"}},
            "SDXL (EDM v-prediction)",
        ),
        ({"marks": {"v_pred"}, "metadata": {"modelspec.prediction_type": "epsilon"}}, "SDXL (v-prediction)"),
        ({"metadata": {"modelspec.prediction_type": "v-prediction"}}, "SDXL (v-prediction)"),
        ({"metadata": {"prediction_type": "V_Prediction"}}, "SDXL (v-prediction)"),
        ({"metadata": {"prediction_type": "vpred", "ztsnr": "true"}}, "SDXL (v-prediction, zero terminal SNR)"),
        ({"metadata": {"ss_v_parameterization": "True"}}, "SDXL (v-prediction)"),
        ({"metadata": {"ss_v_parameterization": "None"}}, "SDXL"),
        (
            {"metadata": {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}},
            "SDXL (v-prediction, zero terminal SNR)",
        ),
        (
            {"metadata": {"ss_v_parameterization": "False"}, "scheduler": {"prediction_type": "v_prediction"}},
            "SDXL",
        ),
        ({"metadata": {"modelspec.prediction_type": "epsilon", "ss_v_parameterization": "True"}}, "SDXL"),
        ({"marks": {"v_pred", "ztsnr"}, "stated": STATED_PREDICTIONS["epsilon"]}, "SDXL"),
        ({"stated": STATED_PREDICTIONS["v-prediction"]}, "SDXL (v-prediction)"),
        (
            {"marks": {"ztsnr"}, "stated": STATED_PREDICTIONS["v-prediction"]},
            "SDXL (v-prediction, zero terminal SNR)",
        ),
        ({"stated": STATED_PREDICTIONS["v-prediction+ztsnr"]}, "SDXL (v-prediction, zero terminal SNR)"),
        ({"metadata": {"modelspec.prediction_type": "epsilon"}, "scheduler": {"prediction_type": "sample"}}, "SDXL"),
    ],
)
def test_what_it_predicts(sdxl, said, text):
    assert str(detect_architecture(sdxl, **said)) == text


def test_mixing_architectures_is_refused_by_name(sdxl):
    one, other = detect_architecture(sdxl), detect_architecture(with_input(sdxl, 9))
    refuse_mixing({"a": one, "b": one})
    with pytest.raises(SourceError, match=r"^c is SDXL inpaint, a is SDXL\. .* leave one of the two out"):
        refuse_mixing({"a": one, "b": one, "c": other})


def test_mixing_predictions_is_refused_by_name(sdxl):
    one, other = detect_architecture(sdxl), detect_architecture(sdxl, marks={"v_pred"})
    with pytest.raises(
        SourceError, match=r"^b is SDXL \(v-prediction\), a is SDXL\. .* found v-prediction and epsilon"
    ):
        refuse_mixing({"a": one, "b": other})
    with pytest.raises(SourceError, match="found EDM v-prediction and v-prediction"):
        refuse_mixing({"a": other, "b": detect_architecture(sdxl, marks={"edm_vpred.sigma_max"})})


def test_zero_terminal_snr_may_go_unsaid(sdxl):
    refuse_mixing(
        {"a": detect_architecture(sdxl, marks={"v_pred"}), "b": detect_architecture(sdxl, marks={"v_pred", "ztsnr"})}
    )
