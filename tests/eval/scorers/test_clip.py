"""The scorer on a tiny open_clip model with a byte-level tokenizer, against open_clip by hand."""

import json
import shutil

import numpy as np
import open_clip
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from safetensors.torch import load_file, save_file

from eval.errors import ScorerError
from eval.scorers.clip import ClipScorer

CONTEXT = 12
CAPTIONS = ["カメ", "turtle", "red car"]


@pytest.fixture(scope="session")
def scorer(bundle):
    return ClipScorer(f"local-dir:{bundle}", batch_size=2)


@pytest.fixture(scope="session")
def pictures():
    rng = np.random.default_rng(0)
    sizes = [(32, 32), (48, 32), (64, 64)]
    return [Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in sizes]


def by_hand(bundle, pictures, captions):
    """Unnormalised features, straight from open_clip."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{bundle}")
    tokens = open_clip.get_tokenizer(f"local-dir:{bundle}")(captions)
    with torch.no_grad():
        images = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures]))
        texts = model.encode_text(tokens)
    return images.double().numpy(), texts.double().numpy()


def cosines(a, b):
    return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


def test_scores_are_open_clips_cosines(bundle, scorer, pictures):
    images, texts = by_hand(bundle, pictures, CAPTIONS)
    expected = cosines(images, texts)
    assert_allclose(scorer.score(pictures, CAPTIONS), np.maximum(expected, 0), atol=1e-5)
    assert {*np.sign(expected)} == {-1, 1}  # both halves are seen
    assert_allclose(scorer.image_features(pictures), images / np.linalg.norm(images, axis=1)[:, np.newaxis], atol=1e-5)
    assert_allclose(scorer.text_features(CAPTIONS), texts / np.linalg.norm(texts, axis=1)[:, np.newaxis], atol=1e-5)
    assert_allclose(
        scorer.image_image(pictures, pictures[::-1]), np.maximum(cosines(images, images[::-1]), 0), atol=1e-5
    )


def test_features_are_float32_of_length_one(scorer, pictures):
    for features in (scorer.image_features(pictures), scorer.text_features(CAPTIONS)):
        assert features.dtype == np.float32
        assert features.shape == (3, 16)
        assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-6)


def test_a_picture_is_like_itself(scorer, pictures):
    assert_allclose(scorer.image_image(pictures, pictures), 1, rtol=1e-6)


def test_the_same_input_gives_the_same_bits(bundle, scorer, pictures):
    other = ClipScorer(f"local-dir:{bundle}", batch_size=2)
    assert_array_equal(other.image_features(pictures), scorer.image_features(pictures))
    assert_array_equal(other.text_features(CAPTIONS), scorer.text_features(CAPTIONS))
    assert other.digest == scorer.digest


def test_a_captions_bits_do_not_depend_on_its_company(bundle, scorer):
    alone = ClipScorer(f"local-dir:{bundle}").text_features(CAPTIONS[2:])
    assert_array_equal(alone[0], scorer.text_features(CAPTIONS)[2])


def test_captions_are_encoded_once(bundle, monkeypatch):
    scorer = ClipScorer(f"local-dir:{bundle}")
    first = scorer.text_features([*CAPTIONS, CAPTIONS[0]])
    assert_array_equal(first[0], first[3])
    monkeypatch.setattr(scorer._model, "encode_text", lambda tokens: pytest.fail("encoded again"))
    assert_array_equal(scorer.text_features(CAPTIONS[::-1]), first[:3][::-1])


def test_the_model_is_described(bundle, scorer):
    assert scorer.name == f"local-dir:{bundle}"
    assert scorer.context_length == CONTEXT
    assert scorer.device == torch.device("cpu")
    assert len(scorer.digest) == 64


def test_what_a_score_depends_on_is_told_as_json(siglip2):
    scorer = ClipScorer(f"local-dir:{siglip2}")
    assert json.loads(json.dumps(scorer.identity)) == scorer.identity
    image = scorer.identity.pop("image")
    assert (image["size"], image["resize_mode"], image["interpolation"]) == ([160, 160], "squash", "bicubic")
    assert (image["mean"], image["std"]) == ([0.5] * 3, [0.5] * 3)
    assert {key: value for key, value in scorer.identity.items() if key != "image"} == {
        "name": f"local-dir:{siglip2}",
        "sha256": scorer.digest,
        "context_length": 64,
        "text_cleaning": "canonicalize",
        "dtype": "float32",
        "autocast": None,
    }


def test_digest_does_not_depend_on_how_much_is_hashed_at_a_time(bundle, scorer, monkeypatch):
    monkeypatch.setattr("eval.scorers.clip._CHUNK", 1000)
    assert ClipScorer(f"local-dir:{bundle}").digest == scorer.digest


def test_digest_is_of_the_weights(bundle, scorer, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    weights = load_file(copy / "open_clip_model.safetensors")
    assert ClipScorer(f"local-dir:{copy}").digest == scorer.digest
    weights["logit_scale"] += 1
    save_file(weights, copy / "open_clip_model.safetensors")
    assert ClipScorer(f"local-dir:{copy}").digest != scorer.digest


def test_captions_that_do_not_fit_are_reported(scorer):
    # one token per byte and two marks: 10 bytes fill the context, 3 bytes a kana
    fits, too_long, kana = "a" * 10, "a" * 11, "アイウ" + "a"
    assert [scorer.token_count(text) for text in (fits, too_long, kana, "エビフライ")] == [12, 13, 12, 17]
    assert scorer.truncated([fits, too_long, kana, "エビフライ"]) == [too_long, "エビフライ"]
    assert scorer.truncated(CAPTIONS) == []


def test_token_counts_with_open_clips_own_tokenizer(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    config = json.loads((copy / "open_clip_config.json").read_text())
    text = config["model_cfg"]["text_cfg"]
    del text["hf_tokenizer_name"], text["eos_id"]
    text |= {"vocab_size": 49408, "pool_type": "argmax"}
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    weights = load_file(copy / "open_clip_model.safetensors")
    weights["token_embedding.weight"] = torch.zeros(49408, 32)
    save_file(weights, copy / "open_clip_model.safetensors")
    scorer = ClipScorer(f"local-dir:{copy}")
    assert scorer.identity["text_cleaning"] == "lower"
    assert scorer.token_count("a red car") == 5
    assert scorer.truncated(["a red car", "a red car " * 4]) == ["a red car " * 4]


def test_scorers_without_weights_are_refused(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "open_clip_model.safetensors").unlink()
    with pytest.raises(ScorerError, match=r"could not be opened on 'cpu': .* weights"):
        ClipScorer(f"local-dir:{copy}")


def test_damaged_or_missing_scorers_are_refused(bundle, tmp_path):
    with pytest.raises(ScorerError, match="check the name, the folder's files"):
        ClipScorer(f"local-dir:{tmp_path / 'absent'}")
    copy = shutil.copytree(bundle, tmp_path / "copy")
    whole = (copy / "open_clip_model.safetensors").read_bytes()
    (copy / "open_clip_model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ScorerError, match="could not be opened"):
        ClipScorer(f"local-dir:{copy}")


def test_a_device_that_is_not_there_is_refused(bundle):
    with pytest.raises(ScorerError, match="could not be opened on 'abacus'"):
        ClipScorer(f"local-dir:{bundle}", device="abacus")


def test_features_that_are_not_numbers_are_refused(bundle, tmp_path, pictures):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    weights = load_file(copy / "open_clip_model.safetensors")
    weights["visual.proj"][0, 0] = torch.nan
    weights["text_projection"][0, 0] = torch.nan
    save_file(weights, copy / "open_clip_model.safetensors")
    scorer = ClipScorer(f"local-dir:{copy}")
    with pytest.raises(ScorerError, match="finite features for pictures 0 to 2, found NaN"):
        scorer.image_features(pictures)
    with pytest.raises(ScorerError, match="finite features for caption 'カメ', found NaN"):
        scorer.text_features(["カメ"])


def test_a_parked_scorer_visits_its_device_and_scores_the_same_bits(bundle, scorer, pictures):
    # "cpu:0" is another device than "cpu" to torch, and the same memory: every move is made
    guest = ClipScorer(f"local-dir:{bundle}", device="cpu:0", batch_size=2, parked=True)
    assert guest.parked
    assert_array_equal(guest.image_features(pictures), scorer.image_features(pictures))
    assert_array_equal(guest.text_features(CAPTIONS), scorer.text_features(CAPTIONS))
    assert guest.parked
    with guest.on_device():
        assert not guest.parked
        guest.image_features(pictures)
        assert not guest.parked
    assert guest.parked
    guest.unpark()
    with guest.on_device():
        pass
    assert not guest.parked
    guest.park()
    assert guest.parked
    assert guest.digest == scorer.digest


def test_a_scorer_goes_back_when_its_use_fails(bundle):
    guest = ClipScorer(f"local-dir:{bundle}", device="cpu:0", parked=True)
    with pytest.raises(KeyError), guest.on_device():
        raise KeyError
    assert guest.parked


def test_on_the_cpu_there_is_nowhere_to_park(bundle):
    scorer = ClipScorer(f"local-dir:{bundle}", parked=True)
    scorer.park()
    assert not scorer.parked


def test_weights_are_counted(bundle, scorer):
    on_disk = sum(tensor.nbytes for tensor in load_file(bundle / "open_clip_model.safetensors").values())
    assert scorer.weights_bytes == on_disk + 4 * CONTEXT**2  # and the attention mask, which is not stored


@pytest.mark.gpu
def test_on_a_gpu_parking_frees_memory_and_keeps_the_bits(bundle, pictures):
    scorer = ClipScorer(f"local-dir:{bundle}", device="cuda")
    assert scorer.identity["autocast"] == "float16"
    staying = scorer.image_features(pictures), scorer.text_features(CAPTIONS)
    resident = torch.cuda.memory_allocated()
    scorer.park()
    assert resident - torch.cuda.memory_allocated() >= scorer.weights_bytes
    assert_array_equal(scorer.image_features(pictures), staying[0])
    assert_array_equal(
        ClipScorer(f"local-dir:{bundle}", device="cuda", parked=True).text_features(CAPTIONS), staying[1]
    )
    assert scorer.digest == ClipScorer(f"local-dir:{bundle}").digest


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda scorer, pictures: scorer.image_features([]), "at least one picture"),
        (lambda scorer, pictures: scorer.text_features([]), "at least one caption"),
        (lambda scorer, pictures: scorer.score(pictures, ["カメ"]), "found 3 pictures, 1 captions"),
        (lambda scorer, pictures: scorer.image_image(pictures, pictures[:2]), "found 3 pictures, 2 references"),
    ],
)
def test_unequal_or_empty_lists_are_refused(scorer, pictures, call, message):
    with pytest.raises(ScorerError, match=message):
        call(scorer, pictures)


def test_an_empty_batch_size_is_refused(bundle):
    with pytest.raises(ScorerError, match="batch size of at least 1, found 0"):
        ClipScorer(f"local-dir:{bundle}", batch_size=0)
