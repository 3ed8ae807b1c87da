"""What of a merge somebody may not expect is said: by the commands, in both languages, with what to do."""

import json

import pytest
import torch

import assets
from pipelines.architectures.detection import Architecture
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.recipes.recipe import blend
from pipelines.weaving.difference import ComponentDifference
from pipelines.weaving.plan import Plan
from studio.library.merge_notes import (
    difference_notes,
    few_step_evidence,
    mix_notes,
    single_file_notes,
    weight_notes,
)
from tests.full_keys import small_sdxl
from tests.loras import BASE, factors, kohya_lora

JA, REAL = (assets.FAMILY / name for name in ("ja", "real"))


def recipe_of(family, weights):
    return blend([family["ja"], family["real"]], {"attention": weights, "backbone": [0.5, 0.5]}, host={"default": "ja"})


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([0.7, 0.3], None),
        ([0.72, 0.3], None),
        ([1.3, -0.3], None),
        ([0.6, 0.6], "attention: the weights add up to 1.2, not to 1."),
        ([70, 30], "attention: the weights add up to 100, far from 1. The network is 100 times"),
        ([0, 0], "attention: the weights add up to 0, far from 1."),
    ],
)
def test_sums_of_weights_are_looked_at(family, weights, said):
    notes = [note.text("en") for note in weight_notes(recipe_of(family, weights))]
    assert [note[: len(said or "")] for note in notes] == ([said] if said else [])


def run(m2n2, out, *options):
    return m2n2("recipe", "blend", JA, REAL, *options, "--out", out)


def said(done):
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--weights", "70,30"],
            "add up to 100, so the network would be 100 times what it is. Expected about 1: write 0.7,0.3",
        ),
        (
            ["--weights", "0,0"],
            "add up to 0, so the network would be 0 times what it is. Expected about 1: give one source a",
        ),
        (["--weights", "0,0", "--normalize"], "add up to 0, which nothing can be divided by"),
        (["--attention", "1,1"], "--attention '1,1': these add up to 2"),
    ],
)
def test_a_sum_that_nobody_means_is_refused(m2n2, tmp_path, options, expected):
    done = run(m2n2, tmp_path / "x.json", *options)
    assert done.returncode == 2
    assert expected in said(done)
    assert not (tmp_path / "x.json").exists()


def weights_in(path):
    return json.loads(path.read_text("utf-8"))["chromosomes"]["backbone"]["segments"][0]["weights"]


def test_whoever_asks_for_a_sum_gets_it(m2n2, tmp_path):
    done = run(m2n2, tmp_path / "x.json", "--weights", "70,30", "--normalize")
    assert (done.returncode, done.stderr) == (0, "")
    assert weights_in(tmp_path / "x.json") == pytest.approx([0.7, 0.3])
    done = run(m2n2, tmp_path / "x.json", "--weights", "70,30", "--no-normalize")
    assert done.returncode == 0
    assert "backbone: the weights add up to 100, far from 1." in done.stderr
    assert weights_in(tmp_path / "x.json") == [70, 30]


def test_a_merge_says_how_far_it_is_from_its_host(m2n2, tmp_path):
    run(m2n2, tmp_path / "x.json", "--weights", "1,0")
    done, written = m2n2("merge", tmp_path / "x.json", "--out", tmp_path / "same", "--json", json_output=True)
    assert [note for note in written["warnings"] if "unet: the merge is the same as its host ja" in note]
    assert written["differences"]["unet"]["changed"] == 0
    run(m2n2, tmp_path / "x.json", "--weights", "0.5,0.5")
    done = m2n2("merge", tmp_path / "x.json", "--out", tmp_path / "other")
    assert "tensors differ from those of the host ja, by" in done.stderr
    assert "note:" not in done.stderr


def test_a_difference_is_said_in_both_languages():
    (note,) = difference_notes(lambda part: "ja", [ComponentDifference("unet", 1680, 1670, 0.0421)])
    assert note.text("en").startswith(
        "unet: 1670 of 1680 tensors differ from those of the host ja, by 4.21% of their norm"
    )
    assert "1680 個のテンソルのうち 1670 個がホスト ja と異なり" in note.text("ja")


def test_zero_terminal_snr_that_is_lost_is_said(family, monkeypatch):
    noisy = open_source_uri(f"noisy = {REAL}")
    monkeypatch.setattr(noisy, "architecture", Architecture("SDXL", "v_prediction", zero_terminal_snr=True))
    (note,) = mix_notes([family["ja"], noisy], lambda part: "ja")
    assert note.text("en").startswith(
        "noisy was trained with zero terminal SNR; the merge takes its noise schedule from ja"
    )
    assert "zero terminal SNR で学習" in note.text("ja")
    assert mix_notes([family["ja"], noisy], lambda part: "noisy") == []


def test_models_of_few_steps_are_told_by_what_is_said_of_them(family, tmp_path):
    lora = kohya_lora(factors(), tmp_path / "sdxl_lightning_4step.safetensors")
    fast = open_source_uri(f"{BASE} + 1 * {lora}")
    assert few_step_evidence(fast) == "lightning"
    assert few_step_evidence(family["ja"]) is None
    assert few_step_evidence(open_source_uri(f"hyperreal = {JA}")) is None  # a word of its own, not a part of one
    (note,) = mix_notes([fast, family["ja"]], lambda part: "ja")
    assert "is said to be a model of few steps (lightning), ja are not" in note.text("en")
    assert mix_notes([fast], lambda part: "ja") == []


def test_a_vae_that_no_single_file_can_hold_is_said(tmp_path, monkeypatch):
    folder = small_sdxl(tmp_path / "small", seed=0)
    source = open_source_uri(folder)
    monkeypatch.setattr(source, "architecture", Architecture("SDXL", text_to_image=True))
    recipe = blend([source], {"attention": [1.0], "backbone": [1.0]}, host={"default": source.name})
    plan = Plan(recipe, {source.name: source}, dtype=torch.float16)
    assert single_file_notes(plan) == []
    config = folder / "vae" / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps(content | {"scaling_factor": 0.18215}))
    other = open_source_uri(folder)
    monkeypatch.setattr(other, "architecture", Architecture("SDXL", text_to_image=True))
    (note,) = single_file_notes(Plan(recipe, {source.name: other}))
    assert "has the scaling factor 0.18215" in note.text("en")
    assert "0.13025" in note.text("ja")
