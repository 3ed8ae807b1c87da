"""The loop that trained the embedded family: a training that was stopped ends where one that was not ends."""

import pytest
import torch
from torch import nn

from assets.training import loop

PULLED = torch.tensor([[3.0, -1.0, 0.5]])


def lesson(model):
    """The distance of noisy weights from where they are pulled: other noise in every step."""
    return (model.weight + 0.1 * torch.randn(1, 3) - PULLED).square().sum()


def training():
    torch.manual_seed(0)
    return loop.Training("pulled", nn.Linear(3, 1, bias=False), lesson, steps=60, lr=0.3)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "WORK", tmp_path)
    monkeypatch.setattr(loop, "KEPT", tmp_path / "kept")


@pytest.mark.skipif(loop.DEVICE.type != "cpu", reason="a step is recorded there, and generators are other ones")
def test_a_stopped_training_ends_where_one_that_went_through_ends():
    through = training()
    whole = through.run(60).weight
    assert (whole - PULLED).abs().max() < 1
    training().run(40)
    resumed = training()
    resumed.resume()
    assert resumed.done == 40
    assert torch.equal(resumed.run(60).weight, whole)
    assert torch.equal(resumed.lr, through.lr)
    assert torch.equal(loop.restore("pulled", nn.Linear(3, 1, bias=False)).weight, whole)


def test_what_is_kept_in_half_precision_is_read_where_there_is_no_checkpoint():
    made = training()
    loop.train(made)
    made.path.unlink()
    kept = loop.restore("pulled", nn.Linear(3, 1, bias=False)).weight
    assert torch.equal(kept, made.averaged_model().weight.half().float())
