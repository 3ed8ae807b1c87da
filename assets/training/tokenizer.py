"""A byte-level BPE for the captions of both languages, as the CLIPTokenizer that SDXL folders expect.

Pairs of letters that are equally frequent come in an order of chance when it is trained, so that another training may
number some tokens otherwise. Encoders and scorers know one numbering: it is the published one, wherever there is one.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from assets.training.colours import COLOUR_PHRASES
from assets.training.data import names
from assets.training.settings import FAMILY, STYLE_WORDS, TOKENS, VOCABULARY, WORK

START, END = "<|startoftext|>", "<|endoftext|>"


@functools.cache
def tokenizer() -> CLIPTokenizer:
    """The tokenizer; captions are cut after `TOKENS`. It is trained where no family is published yet."""
    folder = tokenizer_folder()
    if not (folder / "merges.txt").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        captions = [caption for name in names() for caption in (name.en, name.ja, *name.keywords_en, *name.keywords_ja)]
        often = [word for word in STYLE_WORDS.values() if word]
        often += [f"a {colour.en}" for colour in COLOUR_PHRASES] + [colour.ja for colour in COLOUR_PHRASES]
        captions += [*often, "and", "an", "a", "と"] * 100
        surface = CLIPTokenizer().backend_tokenizer
        model = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
        model.normalizer, model.pre_tokenizer = surface.normalizer, surface.pre_tokenizer
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY - 2 - len(alphabet),
            initial_alphabet=alphabet,
            end_of_word_suffix="</w>",
            show_progress=False,
        )
        model.train_from_iterator(captions, trainer)
        _write_clip_files(model, alphabet, folder)
    return CLIPTokenizer(
        vocab=str(folder / "vocab.json"),
        merges=str(folder / "merges.txt"),
        model_max_length=TOKENS,
    )


def tokenizer_folder() -> Path:
    """Where its two files are, or will be: in the published base, or in the work folder before there is one."""
    published = FAMILY / "base" / "tokenizer"
    return published if (published / "merges.txt").is_file() else WORK / "tokenizer"


def _write_clip_files(model: Tokenizer, alphabet: list[str], folder: Path) -> None:
    """Write vocab.json and merges.txt in CLIP's order: bytes, bytes that end a word, merges, special tokens."""
    model.model.save(str(folder))
    learnt = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    letters = alphabet + [letter + "</w>" for letter in alphabet]
    merged = [token for token in sorted(learnt, key=learnt.__getitem__) if token not in set(letters)]
    tokens = [*letters, *merged, START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")


def tokenize(captions: list[str]) -> torch.Tensor:
    """Token numbers, padded with the end token: int64 [captions, tokens]."""
    options = {"padding": "max_length", "truncation": True, "max_length": TOKENS, "return_tensors": "pt"}
    return tokenizer()(captions, **options).input_ids
