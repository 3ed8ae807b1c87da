"""The examination of sources: embedded ones are sound, damaged ones are told from them, in words and as JSON."""

import json
import shutil
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file

import assets
from studio.doctor.examination import examine_sources
from studio.doctor.findings import Finding, PredictionFinding, UseFinding
from studio.i18n import LANGUAGES

FAMILY = [str(path) for path in assets.sources()]
JA = str(assets.FAMILY / "ja")
LAYER = "text_model.encoder.layers.2"


@pytest.fixture
def damaged(copied):
    """Path of a copy of `ja` with a component's tensors changed by hand."""

    def damage(part, change, name="damaged"):
        folder = copied("ja", name)
        file = next((folder / part).glob("*.safetensors"))
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, {"format": "pt"})
        return str(folder)

    return damage


def last_layer(factor):
    def change(tensors):
        for name in tensors:
            if name.startswith(LAYER):
                tensors[name] = tensors[name] * factor

    return change


def kinds(examination, problem):
    return [finding.kind for finding in examination.findings if finding.problem is problem]


def test_the_embedded_family_is_sound_and_each_has_a_neighbour(tmp_path):
    found = examine_sources(FAMILY, tmp_path)
    assert [one.name for one in found] == ["base", "ja", "flat", "real"]
    assert all(one.sound for one in found)
    assert [kinds(one, False) for one in found] == [["nearest"]] * 4


def test_known_sources_are_compared_with_though_not_asked_for(tmp_path, damaged):
    (found,) = examine_sources([damaged("text_encoder", last_layer(1000))], tmp_path)
    (problem,) = (finding for finding in found.findings if finding.problem)
    assert (problem.kind, problem.values["component"], problem.values["place"]) == ("apart", "text_encoder", LAYER)
    (same,) = (finding for finding in found.findings if not finding.problem)
    assert (same.kind, same.values["other"], same.values["distance"]) == ("same", "ja", 0.0)


def test_a_unet_that_differs_by_rounding_alone_is_told(tmp_path, damaged):
    def rounded(tensors):
        for name, tensor in tensors.items():
            tensors[name] = tensor.bfloat16()

    (found,) = examine_sources([damaged("unet", rounded)], tmp_path)
    assert kinds(found, False) == ["nearly_same"]
    assert found.sound


def test_a_foreign_build_is_examined_alone(tmp_path, copied):
    """Nothing else has this width: there is nothing to be compared with."""
    folder = copied("ja", "wide")
    file = next((folder / "unet").glob("*.safetensors"))
    tensors = load_file(file)
    tensors["conv_out.bias"] = torch.zeros(len(tensors["conv_out.bias"]) + 1, dtype=torch.float16)
    save_file(tensors, file, {"format": "pt"})
    (found,) = examine_sources([str(folder)], tmp_path)
    assert "alone" in kinds(found, False)


def test_progress_counts_every_byte_once(tmp_path):
    told = []
    examine_sources([JA, JA], tmp_path, lambda done, of: told.append((done, of)))
    sizes = {of for _, of in told}
    assert len(sizes) == 1
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (max(sizes), max(sizes))


def test_colours_come_from_the_newest_run_that_drew_it(bred, tmp_path):
    shutil.copytree(bred.folder, tmp_path / "bred")
    (found,) = examine_sources([JA], tmp_path)
    assert found.colours.run == "bred"
    assert set(found.colours.drift.others) == {"base", "flat", "real"}
    assert found.as_json()["colours"]["pictures"] == found.colours.drift.pictures > 0


def test_a_part_alone_is_examined_and_lends(tmp_path, copied):
    """Its weights are compared with those of the sources that are known; it needs no UNet for that."""
    (found,) = examine_sources([str(copied("ja", "whole") / "vae")], tmp_path)
    assert (found.sound, kinds(found, False)) == (True, ["lends"])
    assert found.findings[0].values == {"parts": "vae"}


def test_what_a_torn_part_lacks_is_named(tmp_path, damaged):
    def torn(tensors):
        del tensors["text_model.final_layer_norm.weight"]

    (found,) = examine_sources([damaged("text_encoder", torn)], tmp_path)
    (problem,) = (finding for finding in found.findings if finding.problem)
    assert (problem.kind, problem.values["part"]) == ("incomplete", "text_encoder")
    assert "last norm" in problem.values["reason"]


def test_what_nobody_says_is_probed(tmp_path, copied):
    """The family predicts velocity; a scheduler that names noise is SDXL's own, and says nothing."""
    folder = copied("ja", "unsaid")
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"prediction_type": "epsilon"}), "utf-8")
    (found,) = examine_sources([str(folder)], tmp_path)
    (problem,) = (finding for finding in found.findings if finding.problem)
    assert problem.kind == "predicts_otherwise"
    assert (problem.values["prediction"], problem.values["taken"]) == ("v-prediction", "epsilon")
    (named,) = examine_sources([problem.values["name"]], tmp_path)
    assert problem.values["name"] == f"{folder} as v-prediction"
    assert named.sound


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", get_args(UseFinding) + get_args(PredictionFinding))
def test_use_and_prediction_have_sentences(lang, kind):
    words = dict.fromkeys(("part", "parts", "reason", "prediction", "taken", "name"), "WORD") | {"share": 0.125}
    said = Finding(kind, False, words).sentence(lang)
    assert "WORD" in said or "12%" in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_finding_has_a_sentence(tmp_path, damaged, lang):
    def broken(tensors):
        last_layer(0)(tensors)
        tensors["text_model.final_layer_norm.weight"][0] = torch.inf

    (found,) = examine_sources([damaged("text_encoder", broken)], tmp_path)
    assert kinds(found, True) == ["not_finite", "zero"]
    said = "\n".join(found.sentences(lang))
    assert LAYER in said
    assert "text_model.final_layer_norm.weight" in said
    assert ("Found 2 things" if lang == "en" else "問題が 2 件") in said


def test_the_command_says_it_and_ends_with_one(m2n2, tmp_path, damaged):
    done, said = m2n2("sources", "check", JA, "--runs", tmp_path, "--json", json_output=True)
    assert (done.returncode, said["sources"][0]["sound"]) == (0, True)
    path = damaged("text_encoder", last_layer(0))
    done = m2n2("sources", "check", JA, path, "--runs", tmp_path)
    assert done.returncode == 1
    assert f"text_encoder: the layer {LAYER} is zero throughout" in done.stdout
    assert m2n2("sources", "check", tmp_path / "nothing").returncode == 1
