"""Costs, against torch's own counting of real networks."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from pipelines.checkpoints.sources import open_source
from pipelines.errors import SourceError
from pipelines.generation.cost import OperationCount, PipelineSizes, measure_sizes, unet_operations, vae_operations
from pipelines.generation.settings import GenerationSettings

HOST = {"default": "ja"}


def shapes(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def counted(run):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.fixture(scope="module")
def networks(family):
    """The embedded UNet and VAE, without values."""
    with torch.device("meta"):
        return (
            UNet2DConditionModel.from_config(family["ja"].config("unet")),
            AutoencoderKL.from_config(family["ja"].config("vae")),
        )


@pytest.mark.parametrize("side", [8, 16])
def test_operations_are_those_that_torch_counts(networks, side):
    unet, vae = networks

    def empty(*shape):
        return torch.empty(*shape, device="meta")

    def draw():
        sizes = {"text_embeds": empty(1, 96), "time_ids": empty(1, 6)}
        unet(empty(1, 8, side, side), torch.ones((), device="meta"), empty(1, 16, 160), added_cond_kwargs=sizes)

    assert unet_operations(shapes(unet), tokens=16).at(side**2) == counted(draw)
    assert vae_operations(shapes(vae)).at(side**2) == counted(lambda: vae.decode(empty(1, 8, side, side)))


def test_the_embedded_family_is_measured_from_headers(family):
    sizes = measure_sizes(family, HOST, ["unet"])
    assert sizes.parameters["unet"] == 4_447_880
    assert sizes.merged == sum(source.components["unet"].size for source in family.values())
    assert (sizes.side, sizes.factor, sizes.unet_width, sizes.vae_width) == (64, 8, 64, 16)
    assert sizes.weight_bytes(2)["vae"] == 2 * sizes.parameters["vae"]


def test_what_is_merged_counts_for_every_source(family):
    both = measure_sizes(family, HOST, ["unet", "text_encoder"])
    alone = measure_sizes(family, HOST, ["unet"])
    assert both.merged - alone.merged == sum(source.components["text_encoder"].size for source in family.values())


def test_a_host_without_a_component_is_named(copied):
    folder = copied("flat")
    shutil.rmtree(folder / "vae")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"vae": [None, None]}))
    with pytest.raises(SourceError, match="The host flat has no vae"):
        measure_sizes({"flat": open_source(folder)}, {"default": "flat"}, ["unet"])


def test_costs_grow_as_they_should():
    sizes = PipelineSizes({"vae": 5}, 0, 64, 8, 10, 4, False, OperationCount(100, 10, 1), OperationCount(0, 1000, 0), 0)
    guided, plain = GenerationSettings(steps=3), GenerationSettings(steps=3, guidance=0)
    assert sizes.operations(plain) == 3 * (100 + 640 + 4096) + 64_000
    assert sizes.operations(guided) == 2 * 3 * (100 + 640 + 4096) + 64_000
    assert sizes.drawing_bytes(guided, 2, batch=3) == 2 * 16 * 10 * 64 * 6 * 2
    assert sizes.decoding_bytes(plain, 4, batch=2) == 2 * 6 * 4 * 4096 * 2 * 4
    large = GenerationSettings(size=2048)
    assert sizes.decoding_bytes(large, 4, batch=2, tiled=True) == 2 * 6 * 4 * 512**2 * 4
