"""The embedded family keeps its promises: size, licences, captions, and judges that tell a picture from noise."""

import json
import subprocess

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

import assets
from assets.training.tokenizer import tokenizer
from eval.prompts.prompt_set import load_prompts
from eval.scorers.clip import ClipScorer
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import blend


@pytest.fixture(scope="module", params=["judge", "jury"])
def scorer(request):
    return ClipScorer(f"local-dir:{getattr(assets, request.param.upper())}")


def test_everything_that_is_shipped_is_small():
    """What trainings made and nobody opens yet is left out, as pyproject.toml leaves it out of the package."""
    tracked = subprocess.run(
        ["git", "ls-files", "assets"], cwd=assets.FAMILY.parent.parent, capture_output=True, text=True
    )
    files = [assets.FAMILY.parent.parent / name for name in tracked.stdout.splitlines()]
    kept = assets.FAMILY.parent / "training" / "kept"
    assert sum(file.stat().st_size for file in files if file.is_file() and kept not in file.parents) <= 90_000_000


def test_prompt_sets_are_bilingual_disjoint_and_spread():
    evolve, held_out = load_prompts(assets.EVOLVE), load_prompts(assets.HELD_OUT)
    assert len(evolve) >= 64
    assert len(held_out) >= 96
    assert evolve.languages == held_out.languages == ("ja", "en")
    assert not set(evolve.ids) & set(held_out.ids)
    for one in (evolve, held_out):
        counts = [one.categories.count(category) for category in set(one.categories)]
        assert len(counts) == 6
        assert max(counts) - min(counts) <= 1
        assert len(one.references(assets.EVOLVE.parent)) == len(one)


def test_every_source_names_its_licence_and_languages(family):
    assert {name: source.licence for name, source in family.items()} == {
        "base": "apache-2.0",
        "ja": "apache-2.0",
        "flat": "cc-by-4.0",
        "real": "mit",
    }
    assert "ja" in family["ja"].languages
    assert all("ja" not in family[name].languages for name in ("base", "flat", "real"))


def test_every_source_shows_six_pictures_of_the_same_prompts(family):
    shown = {
        name: sorted(file.name for file in (source.path / "previews").glob("*.png")) for name, source in family.items()
    }
    assert len(shown["base"]) == 6
    assert len({tuple(names) for names in shown.values()}) == 1


def test_no_caption_is_cut_short(family, one_hot, scorer):
    captions = [
        text
        for path in (assets.EVOLVE, assets.HELD_OUT)
        for lang in ("ja", "en")
        for text in load_prompts(path).captions_in(lang)
    ]
    assert scorer.truncated(captions) == []
    assert LivePipeline(one_hot["ja"], family).truncated_captions(captions) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_judges_tell_the_right_caption_and_refuse_noise(scorer, language):
    prompts = load_prompts(assets.HELD_OUT)
    pictures = [Image.open(path).convert("RGB") for path in prompts.references(assets.HELD_OUT.parent)]
    captions = prompts.captions_in(language)
    right = scorer.score(pictures, captions).mean()
    wrong = scorer.score(pictures, captions[1:] + captions[:1]).mean()
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in captions]
    grey = [
        Image.new("RGB", (64, 64), (value, value, value)) for value in np.linspace(0, 255, len(captions)).astype(int)
    ]
    assert right > 0.2
    assert wrong < right / 3
    assert scorer.score(noise, captions).mean() < right / 3
    assert scorer.score(grey, captions).mean() < right / 3


@pytest.mark.parametrize(("name", "category"), [("glossy", "food"), ("late", "pairs")])
def test_the_files_beside_the_folders_are_better_than_base_at_what_they_say(name, category, family):
    """A LoRA on base and a UNet alone, opened as a run file writes them; by the jury, in English."""
    uri = next(uri for uri in assets.all_sources() if name in uri)
    sources = {"base": family["base"], name: open_source_uri(uri)}
    prompts = load_prompts(assets.HELD_OUT)
    captions = [prompt.en for prompt in prompts.prompts if prompt.category == category]
    jury, found = ClipScorer(f"local-dir:{assets.JURY}"), {}
    for one, shares in (("base", [1.0, 0.0]), (name, [0.0, 1.0])):
        weights = {"attention": shares, "backbone": shares}
        pipeline = LivePipeline(blend(list(sources.values()), weights, host={"default": "base"}), sources)
        drawn = pipeline.generate([PictureRequest(caption, 7) for caption in captions], GenerationSettings())
        found[one] = jury.score(drawn, captions).mean()
    assert found[name] > found["base"] + 0.02


def test_edges_outlive_the_vae():
    """Differences of neighbouring pixels in the round trips of true pictures, beside those of the pictures."""
    vae = AutoencoderKL.from_pretrained(assets.FAMILY / "base" / "vae", torch_dtype=torch.float32)
    shown = [Image.open(path).convert("RGB") for path in load_prompts(assets.HELD_OUT).references(assets.EVOLVE.parent)]
    true = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        drawn = vae.decode(vae.encode(true).latent_dist.mode()).sample.clamp(-1, 1)
    across, down = (drawn.diff(dim=axis).abs().mean() / true.diff(dim=axis).abs().mean() for axis in (3, 2))
    assert min(across, down) > 0.8


def test_sources_scorers_and_trainings_number_tokens_alike():
    """Whoever trains a tokenizer anew may get another order of what is equally frequent."""
    numbered = [json.loads(path.read_text("utf-8")) for path in assets.FAMILY.glob("*/tokenizer*/vocab.json")]
    scorers = [json.loads((path / "tokenizer.json").read_text("utf-8")) for path in (assets.JUDGE, assets.JURY)]
    numbered += [scorer["model"]["vocab"] for scorer in scorers]
    assert len(numbered) == 10
    assert all(one == numbered[0] for one in numbered)
    assert tokenizer().get_vocab() == numbered[0]
