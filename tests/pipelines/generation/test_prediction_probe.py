"""One step on noise tells what a UNet predicts: the embedded family, and exact twins of it that predict the other."""

import json

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from typer.testing import CliRunner

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.errors import SourceError
from pipelines.generation.build import empty_module
from pipelines.generation.prediction_probe import PredictionProbe, probe_prediction, probe_unet
from studio.cli.app import app


class Converted(torch.nn.Module):
    """A UNet that predicts the other kind, exactly: what it wraps, solved for noise or for velocity.

    x = a x0 + s e and v = a e - s x0, so e = a v + s x and v = (e - s x) / a.
    """

    def __init__(self, unet, scheduler, to):
        super().__init__()
        self.unet, self.config, self.to = unet, unet.config, to
        self.levels = scheduler.alphas_cumprod

    def forward(self, sample, timestep, **conditions):
        (predicted,) = self.unet(sample, timestep, **conditions)
        a, s = self.levels[timestep].sqrt(), (1 - self.levels[timestep]).sqrt()
        if self.to == "epsilon":
            return (a * predicted + s * sample,)
        return ((predicted - s * sample) / a,)


def loaded(source):
    unet = empty_module("unet", source, torch.float32)
    with torch.no_grad():
        for name, parameter in unet.state_dict(keep_vars=True).items():
            parameter.copy_(source.components["unet"].read(name))
    return unet


@pytest.mark.parametrize("name", ["base", "ja", "flat", "real"])
def test_the_family_and_its_twins_are_told_apart(family, name):
    source = family[name]
    unet = loaded(source)
    scheduler = EulerDiscreteScheduler.from_config(source.config("scheduler"))
    found = probe_prediction(source)
    assert found.prediction_type == source.architecture.prediction_type == "v_prediction"
    assert found.share == pytest.approx(probe_unet(unet).share)
    noise = Converted(unet, scheduler, "epsilon")
    assert probe_unet(noise).prediction_type == "epsilon"
    # e = a v + s x: what comes back is a times the first share, and s
    a, s = scheduler.alphas_cumprod[999].sqrt(), (1 - scheduler.alphas_cumprod[999]).sqrt()
    assert probe_unet(noise).share == pytest.approx(float(a * found.share + s), abs=1e-5)
    back = Converted(noise, scheduler, "v_prediction")
    assert probe_unet(back).share == pytest.approx(found.share, abs=1e-4)
    assert probe_unet(unet, seed=1).prediction_type == "v_prediction"


def test_no_more_than_a_layer_is_in_memory(family):
    """Of all that was called so far, at each call."""
    called, held = [], []

    def look(layer, _):
        called.append(layer)
        held.append(sum(one.numel() for layer in called for one in layer.parameters(recurse=False)))

    source = family["base"]
    hook = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        probe_prediction(source)
    finally:
        hook.remove()
    layers = [sum(one.numel() for one in layer.parameters(recurse=False)) for layer in loaded(source).modules()]
    assert len({id(one) for one in called}) > len([count for count in layers if count])
    assert max(held) <= max(layers)


@pytest.mark.parametrize(
    ("share", "kind"),
    [(1.0, "epsilon"), (0.76, "epsilon"), (0.5, None), (-0.2, "v_prediction"), (-1.0, None), (float("nan"), None)],
)
def test_what_is_neither_is_not_guessed(share, kind):
    assert PredictionProbe(share).prediction_type == kind


def test_half_precision_tells_them_apart_as_well(family):
    source = family["base"]
    unet = loaded(source).to(torch.bfloat16)
    scheduler = EulerDiscreteScheduler.from_config(source.config("scheduler"))
    assert probe_unet(unet).prediction_type == "v_prediction"
    assert probe_unet(Converted(unet, scheduler, "epsilon")).prediction_type == "epsilon"


def test_other_models_are_not_probed(copied):
    folder = copied("base")
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps({**json.loads(scheduler.read_text()), "_class_name": "EDMEulerScheduler"}))
    with pytest.raises(SourceError, match="EDM v-prediction.*Expected SDXL that draws from text"):
        probe_prediction(open_source(folder))


def test_inspect_says_what_the_probe_told_and_how_to_name_the_source():
    def inspect(source, *options):
        done = CliRunner().invoke(app, ["sources", "inspect", source, "--probe", *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    flat = str(assets.FAMILY / "flat")
    assert json.loads(inspect(flat, "--json"))["probe"]["prediction_type"] == "v_prediction"
    assert "of the noise came back; it is taken for epsilon: name it as" in inspect(f"{flat} as epsilon")
    assert f"'{flat} as v-prediction'" in inspect(f"{flat} as epsilon").replace("\n", "")
    assert "probe" not in json.loads(CliRunner().invoke(app, ["sources", "inspect", flat, "--json"]).stdout)
