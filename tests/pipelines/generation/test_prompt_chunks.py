"""Chunks of tokens and their embeddings: A1111's edges, weights per token, and pictures that no neighbour changes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from pipelines.architectures import sdxl
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.prompt_chunks import PromptChunker, chunk_prompt, embed_prompts
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import blend

START, END, COMMA = 49406, 49407, 267  # of CLIP's vocabulary
A, CAT, DOG = 320, 2368, 1929
SETTINGS = GenerationSettings(steps=2, batch=4)
LONG = "(shrimp:1.4), umbrella, dog, cat, cake, pie, rose, book, car, train, (ship:0.5) BREAK sun"


@pytest.fixture(scope="module")
def chunkers():
    """SDXL's own two vocabularies: the second pads with `!`, which is 0."""
    folder = sdxl.cached_folder()
    return [PromptChunker(CLIPTokenizer.from_pretrained(folder / part)) for part in ("tokenizer", "tokenizer_2")]


@pytest.fixture(scope="module")
def pipeline(family):
    rows = {"attention": [0.1, 0.6, 0.2, 0.1], "backbone": [0.4, 0.3, 0.2, 0.1]}
    return LivePipeline(blend(list(family.values()), rows, host={"default": "ja"}), family)


def words(chunk, weights=False):
    """What lies between the marks of a chunk, without what fills it up."""
    stop = chunk.ids.index(END)
    return list((chunk.weights if weights else chunk.ids)[1:stop])


def test_a_short_prompt_is_one_chunk(chunkers):
    ((first, second),) = chunk_prompt("a (cat:1.5) dog", chunkers)
    assert first.ids == (START, A, CAT, DOG, *[END] * 73)
    assert second.ids == (START, A, CAT, DOG, END, *[0] * 72)
    assert first.weights == second.weights == (1, 1, 1.5, 1, *[1] * 73)


@pytest.mark.parametrize(
    ("prompt", "lengths"),
    [
        ("cat " * 75, [75]),
        ("cat " * 76, [75, 1]),
        ("cat " * 160, [75, 75, 10]),
        ("cat " * 60 + ", " + "dog " * 14, [75]),
        ("cat " * 60 + ", " + "dog " * 20, [61, 20]),  # the comma is the 61st; what follows it goes into the next
        ("cat " * 55 + ", " + "dog " * 20, [56, 20]),  # 20 tokens back, and no more
        ("cat " * 54 + ", " + "dog " * 21, [75, 1]),
        ("cat " * 75 + ", dog", [75, 2]),
        ("cat " * 74 + ", dog", [75, 1]),
        ("a cat BREAK dog", [2, 1]),
        ("a cat BREAK", [2]),
        ("BREAK cat", [0, 1]),
        ("cat BREAK BREAK dog", [1, 0, 1]),
        ("cat " * 75 + "BREAK dog", [75, 1]),
        ("", [0]),
    ],
)
def test_edges_are_a1111s(chunkers, prompt, lengths):
    chunks = chunk_prompt(prompt, chunkers)
    assert [len(words(first)) for first, _ in chunks] == lengths
    assert [len(words(second)) for _, second in chunks] == lengths
    assert all(len(one.ids) == len(one.weights) == 77 for row in chunks for one in row)


def edges(tokens):
    """Where chunks end, told of the whole row of tokens at once."""
    stops, start = [], 0
    while len(tokens) - start > 75:
        window = tokens[start : start + 75]
        commas = [place for place in range(55, 75) if window[place] == COMMA]
        after_comma = commas[-1] + 1 if commas and tokens[start + 75] != COMMA else 75
        start += after_comma
        stops.append(start)
    return [*stops, len(tokens)]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["cat"] * 12 + [",", "(dog:1.5)"]), min_size=70, max_size=240))
def test_any_row_of_tokens_is_cut_where_a1111_cuts_it(chunkers, tokens):
    chunks = [first for first, _ in chunk_prompt(" ".join(tokens), chunkers)]
    ids = [{"cat": CAT, ",": COMMA, "(dog:1.5)": DOG}[token] for token in tokens]
    assert [token for chunk in chunks for token in words(chunk)] == ids
    assert list(np.cumsum([len(words(chunk)) for chunk in chunks])) == edges(ids)
    weights = [weight for chunk in chunks for weight in words(chunk, weights=True)]
    assert weights == [1.5 if token == DOG else 1.0 for token in ids]


def test_vocabularies_that_differ_stay_side_by_side(chunkers, family):
    """Where one encoder needs more chunks between two breaks than the other, empty ones stand beside them."""
    small = PromptChunker(CLIPTokenizer.from_pretrained(family["ja"].contents.tokenizers["tokenizer"]))
    assert small.room == 22
    chunks = chunk_prompt("dog " * 30 + "BREAK cat", [chunkers[0], small])
    assert [len(words(first)) for first, _ in chunks] == [30, 0, 1]
    assert len(chunks) == 3
    assert all(len(second.ids) == 24 for _, second in chunks)


def states_of(pipeline, number, ids):
    """Hidden states that SDXL draws with, of one chunk alone, by transformers: float32 [tokens, width]."""
    encoder = (pipeline.text_encoder, pipeline.text_encoder_2)[number]
    with torch.no_grad():
        return encoder(torch.tensor([ids]), output_hidden_states=True)


def test_a_weight_multiplies_its_tokens_state_and_the_mean_stays(pipeline):
    inner = pipeline._pipeline
    chunkers = [PromptChunker(inner.tokenizer), PromptChunker(inner.tokenizer_2)]
    chunks = chunk_prompt(LONG, chunkers)
    assert len(chunks) > 2  # of 22 tokens each
    expected = []
    for row in chunks:
        both = []
        for number, chunk in enumerate(row):
            plain = states_of(inner, number, chunk.ids).hidden_states[-2][0]
            weighted = plain * torch.tensor(chunk.weights)[:, None]
            both.append(weighted * plain.mean() / weighted.mean())
        expected.append(torch.cat(both, dim=1))
    found = embed_prompts(inner, [LONG])
    torch.testing.assert_close(found["prompt_embeds"][0], torch.cat(expected), rtol=1e-4, atol=1e-5)
    pooled = states_of(inner, 1, chunks[0][1].ids).text_embeds
    torch.testing.assert_close(found["pooled_prompt_embeds"], pooled, rtol=1e-5, atol=1e-6)
    assert found["negative_prompt_embeds"].shape == found["prompt_embeds"].shape


def test_what_has_no_syntax_is_embedded_and_drawn_as_plain(pipeline):
    """To the last bit: the same tokens go through the same encoders in the same batch."""
    captions = ["柴犬", "shrimp", "傘"]
    plain = pipeline._pipeline.encode_prompt(captions, do_classifier_free_guidance=True)
    assert all(map(torch.equal, plain, embed_prompts(pipeline._pipeline, captions).values()))
    requests = [[PictureRequest(caption, 1, syntax) for caption in captions] for syntax in ("plain", "a1111")]
    one, other = (np.stack(pipeline.generate(some, SETTINGS)) for some in requests)
    assert (one == other).all()


def test_a_picture_does_not_depend_on_longer_ones_beside_it(pipeline):
    """Prompts of other lengths and of the other syntax are drawn in batches of their own, and come back in order."""
    mixed = [
        PictureRequest(LONG, 1, "a1111"),
        PictureRequest("(shrimp:1.4)", 2, "a1111"),
        PictureRequest("(shrimp:1.4)", 2),
        PictureRequest("dog BREAK cat", 3, "a1111"),
    ]
    done = []
    together = pipeline.generate(mixed, SETTINGS, progress=done.append)
    alone = [pipeline.generate([request], SETTINGS)[0] for request in mixed]
    assert (np.stack(together) == np.stack(alone)).all()
    assert done == [1, 2, 3, 4]
    weighted, letters = np.asarray(together[1]), np.asarray(together[2])
    assert (weighted != letters).any()


def test_what_guidance_points_away_from_may_stand_several_times(pipeline):
    """Attention over keys that are repeated is attention over them once."""
    unet, config = pipeline._pipeline.unet, pipeline._pipeline.unet.config
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, config.in_channels, config.sample_size, config.sample_size, generator=generator)
    text = torch.randn(1, 16, config.cross_attention_dim, generator=generator)
    pooled = torch.zeros(1, config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim)
    added = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
    with torch.no_grad():
        once, thrice = (
            unet(sample, 500, encoder_hidden_states=text.repeat(1, n, 1), added_cond_kwargs=added).sample
            for n in (1, 3)
        )
    torch.testing.assert_close(once, thrice, rtol=1e-4, atol=1e-5)


def test_syntax_survives_another_recipe_woven_into_it(pipeline, one_hot):
    before = pipeline.recipe
    request = [PictureRequest(LONG, 5, "a1111")]
    first = np.asarray(pipeline.generate(request, SETTINGS)[0])
    pipeline.weave(one_hot["flat"])
    other = np.asarray(pipeline.generate(request, SETTINGS)[0])
    pipeline.weave(before)
    assert (np.asarray(pipeline.generate(request, SETTINGS)[0]) == first).all()
    assert (other != first).any()
