"""What of a LoRA is not used is said: by the commands, in both languages, with what to do."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import assets
from pipelines.checkpoints.source_uri import open_source_uri
from studio.execution.preflight import preflight
from studio.library.adapter_notes import merge_notes, source_notes
from studio.runs.config_file import load_config
from studio.runs.inputs import open_run_sources
from tests.loras import BASE, factors, kohya_lora

JA = assets.FAMILY / "ja"


@pytest.fixture
def lora(tmp_path):
    return kohya_lora(factors(), tmp_path / "ink.safetensors")


def test_the_half_that_another_source_lends_is_said(lora):
    sources = [open_source_uri(JA), open_source_uri(f"inked = {BASE} + 0.5 * {lora}")]
    (note,) = merge_notes(sources, ["unet"], lambda part: "ja")
    assert note.text("en") == (
        "inked: ink.safetensors changes text_encoder, text_encoder_2 too, and these come from ja: that part of it is "
        "not used. To use it, make inked the host, or merge the text encoders."
    )
    assert "inked をホストにするか" in note.text("ja")
    assert merge_notes(sources, ["unet"], lambda part: "inked") == []
    assert merge_notes(sources, ["unet", "text_encoder", "text_encoder_2"], lambda part: "ja") == []
    (note,) = merge_notes(sources, ["unet"], lambda part: "ja" if part == "text_encoder_2" else "inked")
    assert note.what == ("text_encoder_2",)


def test_what_a_base_has_no_use_for_is_said(lora):
    save_file(load_file(lora) | {"bundle_emb.mei.clip_l": torch.zeros(2, 8)}, lora)
    absent, ignored = source_notes(open_source_uri(f"{BASE / 'unet'} + 1 * {lora}"))
    assert "changes text_encoder, text_encoder_2 too, which its base does not have" in absent.text("en")
    assert "1 keys of ink.safetensors change no weights and are left out (bundle_emb.mei.clip_l)" in ignored.text("en")


def test_the_commands_say_it(m2n2, lora, tmp_path):
    """One LoRA at two strengths, called by names; neither is the host."""
    sources = [f"half = {BASE} + 0.5 * {lora}", f"much ＝ {BASE} ＋ １ ＊ {lora}"]
    done = m2n2("recipe", "blend", JA, *sources, "--weights", "0.5，0.25、0.25", "--out", tmp_path / "recipe.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("that part of it is not used") == 2
    recipe = json.loads((tmp_path / "recipe.json").read_text("utf-8"))
    assert [source["name"] for source in recipe["sources"]] == ["ja", "half", "much"]
    done, written = m2n2("merge", tmp_path / "recipe.json", "--out", tmp_path / "merged", "--json", json_output=True)
    assert [warning for warning in written["warnings"] if "make half the host" in warning]
    done = m2n2("sources", "inspect", sources[0])
    assert "0.5 * ink.safetensors: LoRA on 22 tensors, of unet, text_encoder" in done.stdout


def test_a_run_says_it_before_it_starts(lora, small_config, tmp_path):
    """Its file names one LoRA at two strengths, relative to itself; one of them is the host."""
    file = tmp_path / "run.yaml"
    sources = [f"half = {BASE} + 0.5 * ink.safetensors", f"whole = {BASE} + 1 * ink.safetensors"]
    content = small_config.model_dump(mode="json") | {"sources": sources, "host": {"default": "half"}}
    file.write_text(json.dumps(content))
    config = load_config(file)
    assert config.sources == tuple(source.replace("ink", str(tmp_path / "ink")) for source in sources)
    opened = open_run_sources(config)
    assert list(opened) == ["half", "whole"]
    warned = preflight(config, opened, folder=tmp_path, rate=0.01).warnings
    assert [sentence for sentence in warned if "ink.safetensors" in sentence] == [
        "whole: ink.safetensors changes text_encoder, text_encoder_2 too, and these come from half: that part of it is "
        "not used. To use it, make whole the host, or merge the text encoders."
    ]
