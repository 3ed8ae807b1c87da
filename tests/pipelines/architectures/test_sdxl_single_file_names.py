"""The numbers in single-file names: against a public list of SDXL's keys, and diffusers' reading of other UNets."""

import hashlib

import accelerate
import pytest
from diffusers import AutoencoderKL
from diffusers.loaders import single_file_utils as theirs
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from pipelines.architectures.keys import canonical_name
from pipelines.architectures.sdxl_single_file import (
    LOGIT_SCALE,
    POSITION_IDS,
    PREFIXES,
    from_single_file,
    to_single_file,
    unknown_keys,
)
from pipelines.errors import SourceError
from tests import full_keys
from tests.full_keys import COUNTS, FULL_UNETS, full_unet, shapes

# SHA-256 of the lines "key shape", sorted, that sd-mecha 1.1.8 lists for SDXL in sdxl-sgm.yaml (the marks of the
# prediction type and the constants of the noise schedule left out): the 2,515 keys of a whole checkpoint.
PUBLIC_LIST = "2086c2ba91745f921763779e5e7d19ed40cf689f25c1dd929bb509a000f8cb6e"
CLIP_L = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
CLIP_G = CLIPTextConfig(
    hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, projection_dim=1280
)


def test_public_list_of_keys_and_shapes():
    with accelerate.init_empty_weights():
        config = full_keys.VAE | {"block_out_channels": (128, 256, 512, 512), "norm_num_groups": 32}
        models = {
            "vae": AutoencoderKL(**config),
            "text_encoder": CLIPTextModel(CLIP_L),
            "text_encoder_2": CLIPTextModelWithProjection(CLIP_G),
        }
    state = {part: dict(model.state_dict()) for part, model in models.items()} | {"unet": full_unet("SDXL")}
    listed = {POSITION_IDS: (1, 77), LOGIT_SCALE: ()}
    for part, tensors in state.items():
        named = {canonical_name(part, key): tensor for key, tensor in tensors.items()}
        listed |= {item.key: item.shape for item in to_single_file(part, shapes(named))}
    counts = {part: sum(key.startswith(prefix) for key in listed) for part, prefix in PREFIXES.items()}
    assert counts == COUNTS
    lines = "".join(f"{key} {list(listed[key])}\n" for key in sorted(listed))
    assert hashlib.sha256(lines.encode()).hexdigest() == PUBLIC_LIST


@pytest.mark.parametrize("name", FULL_UNETS)
def test_other_unets_as_diffusers_reads_them(name):
    state = full_unet(name)
    keys = {item.key: state[item.parts[0]] for item in to_single_file("unet", shapes(state))}
    found = theirs.convert_ldm_unet_checkpoint(keys, {"layers_per_block": 2, **FULL_UNETS[name]})
    assert set(found) == set(state)
    assert all(found[key] is tensor for key, tensor in state.items())
    read = from_single_file(shapes(keys))["unet"]
    assert {key: piece.shape for key, piece in read.items()} == shapes(state)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("SDXL", ["2.2", "5.2"]),
        ("SDXL refiner", ["2.1", "5.2", "8.2"]),
        ("Stable Diffusion 1.5", ["2.1", "5.2", "8.2"]),
    ],
)
def test_upsamplers_stand_behind_attention_where_there_is_one(name, places):
    keys = [item.key.removeprefix(PREFIXES["unet"]) for item in to_single_file("unet", shapes(full_unet(name)))]
    assert [key for key in keys if key.endswith(".conv.bias")] == [
        f"output_blocks.{place}.conv.bias" for place in places
    ]


def test_the_vae_by_hand():
    """Attention becomes a convolution, and the decoder's first level of two is the file's last."""
    names = {
        "decoder.mid_block.attentions.0.to_out.0.weight": (4, 4),
        "decoder.mid_block.attentions.0.to_out.0.bias": (4,),
        "decoder.up_blocks.0.resnets.0.conv_shortcut.weight": (4, 8, 1, 1),
        "decoder.up_blocks.1.resnets.0.conv1.weight": (4, 4, 3, 3),
        "decoder.up_blocks.0.upsamplers.0.conv.bias": (4,),
        "encoder.conv_norm_out.weight": (4,),
    }
    found = {item.key.removeprefix("first_stage_model."): item.shape for item in to_single_file("vae", names)}
    assert found == {
        "decoder.mid.attn_1.proj_out.weight": (4, 4, 1, 1),
        "decoder.mid.attn_1.proj_out.bias": (4,),
        "decoder.up.1.block.0.nin_shortcut.weight": (4, 8, 1, 1),
        "decoder.up.0.block.0.conv1.weight": (4, 4, 3, 3),
        "decoder.up.1.upsample.conv.bias": (4,),
        "encoder.norm_out.weight": (4,),
    }


@pytest.mark.parametrize(
    ("component", "name"),
    [
        ("unet", "down_blocks.0.resnets.0.motion.weight"),
        ("unet", "encoder_hid_proj.weight"),
        ("unet", "mid_block.attentions.1.norm.weight"),
        ("vae", "decoder.up_blocks.1.resnets.0.conv1.weight"),
        ("vae", "encoder.mid_block.attentions.0.query.weight"),
        ("text_encoder", "embeddings.token_embedding.weight"),
        ("text_encoder_2", "text_projection.bias"),
    ],
)
def test_a_name_that_fits_nowhere_is_named(component, name):
    with pytest.raises(SourceError, match=name):
        to_single_file(component, {name: (2, 2)})


def test_blocks_that_fit_nowhere_are_named():
    tensors = shapes(full_unet("SDXL"))
    joined = {name: shape for name, shape in tensors.items() if ".1.downsamplers." not in name}
    with pytest.raises(SourceError, match="down_blocks.1 has no place .* downsamplers in all but the last"):
        to_single_file("unet", joined)
    with pytest.raises(SourceError, match="up_blocks.0 has no place .* resnets in every block"):
        to_single_file("unet", {"up_blocks.0.upsamplers.0.conv.weight": (2, 2, 3, 3)})


TOKENS = [
    "input_blocks",
    "output_blocks",
    "middle_block",
    "0",
    "1",
    "2",
    "999999999999",
    "op",
    "conv",
    "weight",
    "decoder",
]
TOKENS += [
    "up",
    "block",
    "transformer",
    "resblocks",
    "attn",
    "in_proj_weight",
    "down_blocks",
    "up_blocks",
    "resnets",
    "",
]


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(["", *PREFIXES.values()]),
            st.lists(st.sampled_from(TOKENS), max_size=6).map(".".join),
        ).map("".join),
        st.lists(st.integers(0, 6), max_size=4).map(tuple),
        max_size=12,
    )
)
def test_strange_keys_are_read_or_refused(tensors):
    try:
        found = from_single_file(tensors)
        strangers = unknown_keys(tensors, found)
        pieces = [piece for named in found.values() for piece in named.values()]
    except SourceError:
        return
    assert not {piece.key for piece in pieces} & set(strangers)
    assert {piece.key for piece in pieces} <= set(tensors)
