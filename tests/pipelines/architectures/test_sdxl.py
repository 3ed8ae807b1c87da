"""What a single file does not hold: SDXL's configurations and tokenizers, made without a network."""

import accelerate
import open_clip
import pytest
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTokenizer

from pipelines.architectures import sdxl
from pipelines.checkpoints.contents import TOKENIZERS
from tests.conftest import python


@pytest.mark.parametrize(
    ("config", "kind", "millions"), [(sdxl.UNET, UNet2DConditionModel, 2567.46), (sdxl.VAE, AutoencoderKL, 83.65)]
)
def test_configurations_have_the_published_sizes(config, kind, millions):
    with accelerate.init_empty_weights():
        model = kind.from_config(config)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize(
    "caption", ["a photo of a cat", "Hello, World? It's 12:30", "金継ぎの茶碗", "naïve café 🍵", "", "A" * 300]
)
def test_the_tokenizer_is_clips(caption):
    """Against open_clip's own, which SDXL's second encoder was trained with; that one pads with 0, which is '!'."""
    for part, pad in (("tokenizer", 49407), ("tokenizer_2", 0)):
        tokenizer = CLIPTokenizer.from_pretrained(sdxl.cached_folder() / part)
        ours = tokenizer(caption, padding="max_length", max_length=77, truncation=True).input_ids
        theirs = open_clip.get_tokenizer("ViT-bigG-14")([caption])[0].tolist()
        end = theirs.index(49407) + 1
        assert ours[:end] == theirs[:end]
        assert set(ours[end:]) <= {pad}


def test_an_exclamation_mark_pads_the_second_tokenizer():
    """As in SDXL's own folder: the mark is the padding there, so a caption's loses its end of a word."""
    first, second = (CLIPTokenizer.from_pretrained(sdxl.cached_folder() / part)("hi!").input_ids for part in TOKENIZERS)
    assert first[-2] == 256
    assert second[-2] == 0


def test_every_process_shares_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path))
    done = [python("-c", "from pipelines.architectures import sdxl; print(sdxl.cached_folder())") for _ in range(2)]
    assert done[0].stdout == done[1].stdout
    assert len(list((tmp_path / "configs").iterdir())) == 1


def test_diffusers_knows_every_class(tmp_path):
    sdxl.write_folder(tmp_path)
    config = StableDiffusionXLPipeline.load_config(str(tmp_path), local_files_only=True)
    assert {key for key in config if not key.startswith("_")} == {*sdxl.INDEX} - {"_class_name"}
