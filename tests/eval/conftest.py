"""Tiny scorers in every form that open_clip's come in, as folders, with tokenizers made here."""

import json
import socket

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
TEXT = {"width": 32, "heads": 2, "layers": 1}
LETTERS = [*"アイウエオカキクケコメabcdefghijklmnopqrstuvwxyz!"]
XLM_ROBERTA = {
    "model_type": "xlm-roberta",
    "vocab_size": len(LETTERS) + 6,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
    "pad_token_id": 1,
}


def byte_tokenizer():
    """One token per byte, between a begin (256) and an end mark (257)."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate(alphabet)} | {"<s>": 256, "</s>": 257, "<pad>": 258}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 256), ("</s>", 257)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=12
    )


def xlm_roberta_tokenizer():
    """As XLM-RoBERTa's file: unigrams, here one per letter, a mark before each word, `<s>` and `</s>` around all."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [(piece, 0.0) for piece in special] + [(piece, -1.0) for piece in ["▁", *LETTERS]] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.add_special_tokens([*special, "<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def gemma_tokenizer():
    """As SigLIP2's file: byte pairs, here one token per letter and space, `<eos>` after all."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: i for i, piece in enumerate([*special, "▁", *LETTERS])},
            merges=[],
            unk_token="<unk>",
            fuse_unk=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return tokenizer


def write(folder, model_cfg, preprocess_cfg=None):
    """The folder's configuration, and random weights that fit it."""
    preprocess_cfg = preprocess_cfg or {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    text = model_cfg["text_cfg"]
    if "hf_model_name" in text:
        text = {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}
    kind = open_clip.CustomTextCLIP if "custom_text" in model_cfg or "hf_model_name" in text else open_clip.CLIP
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = kind(model_cfg["embed_dim"], model_cfg["vision_cfg"], text)
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A CLIP of open_clip's own kind that reads bytes, 12 of them."""
    folder = tmp_path_factory.mktemp("scorer")
    byte_tokenizer().save_pretrained(folder)
    text = {
        **TEXT,
        "context_length": 12,
        "vocab_size": 259,
        "hf_tokenizer_name": "bytes",
        "pool_type": "eos",
        "eos_id": 257,
    }
    return write(folder, {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": text})


@pytest.fixture(scope="session")
def xlm_roberta(tmp_path_factory):
    """A CLIP with a transformers text tower, configured as xlm-roberta-base-ViT-B-32, its files as on the hub."""
    folder = tmp_path_factory.mktemp("xlm_roberta")
    xlm_roberta_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 512}')
    (folder / "config.json").write_text(json.dumps(XLM_ROBERTA))
    text = {"hf_model_name": "xlm-roberta-base", "hf_tokenizer_name": "xlm-roberta-base"}
    text["hf_pooler_type"] = "mean_pooler"
    return write(folder, {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": text})


@pytest.fixture(scope="session")
def siglip2(tmp_path_factory):
    """A SigLIP2, configured as ViT-B-16-SigLIP2-256 but with a small timm picture tower."""
    folder = tmp_path_factory.mktemp("siglip2")
    gemma_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "GemmaTokenizer", "padding_side": "right", "add_bos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"add_eos_token": True}))
    model = open_clip.get_model_config("ViT-B-16-SigLIP2-256")
    model["vision_cfg"] |= {"timm_model_name": "test_vit", "image_size": 160, "timm_pool": "avg"}
    model["text_cfg"] |= {**TEXT, "vocab_size": len(LETTERS) + 6}
    model["embed_dim"] = model["vision_cfg"].pop("embed_dim", 64)
    return write(folder, model, {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash", "size": 160})


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache, switched off; `put(repository, folder, ...)` puts files of a folder into it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked for a network"))

    def put(repository, folder, *names):
        cache = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        snapshot = cache / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True, exist_ok=True)
        (cache / "refs").mkdir(exist_ok=True)
        (cache / "refs" / "main").write_text("0" * 40)
        for name in names:
            (snapshot / name).write_bytes((folder / name).read_bytes())
        return snapshot

    put.cache = tmp_path / "hub"
    return put
