"""The command line: output, `--json`, exit codes, and errors in one line."""

import json
import socket

import pytest

from studio import run
from studio.store import create_run
from tests.conftest import python

COMMANDS = {"evolve", "show", "merge", "export", "score", "sources", "studio"}


@pytest.fixture(scope="module")
def finished(small_config, tmp_path_factory):
    store = create_run(tmp_path_factory.mktemp("runs") / "finished", small_config)
    run.carry_out(store)
    return store.folder


def refused(done, *expected):
    """One line on stderr, exit code 1, no traceback."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    for text in expected:
        assert text in done.stderr


def test_help_lists_the_commands():
    done = python("-m", "studio.cli", "--help")  # as a person runs it: a process of its own
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.slow
def test_evolve_show_merge_export_score(m2n2, small_config, tmp_path):
    small_config.save(tmp_path / "run.yaml")
    done, told = m2n2(
        "evolve", tmp_path / "run.yaml", "--evaluations", 2, "--out", tmp_path / "run", "--json", json_output=True
    )
    assert done.returncode == 0, done.stderr
    assert told["evaluations"] == 2
    assert {"run", "evaluations", "individuals", "results"} <= set(told)
    child = told["individuals"][-1]
    assert {"id", "parents", "recipe", "scores"} <= set(child)
    assert set(told["results"]["child"]) == {"ja", "en", "consistency"}
    assert set(told["results"]["child"]["ja"]) == {"mean", "low", "high"}

    done, shown = m2n2("show", tmp_path / "run", "--json", json_output=True)
    assert shown == told
    assert "child minus" in m2n2("show", tmp_path / "run").stdout

    (tmp_path / "recipe.json").write_text(json.dumps(child["recipe"]))
    done = m2n2("merge", tmp_path / "recipe.json", "--out", tmp_path / "merged")
    assert done.stdout.strip() == str(tmp_path / "merged")
    done = m2n2("export", tmp_path / "run", child["id"], "--out", tmp_path / "exported")
    assert done.returncode == 0, done.stderr
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert (tmp_path / "merged" / unet).read_bytes() == (tmp_path / "exported" / unet).read_bytes()
    card = (tmp_path / "exported" / "README.md").read_text("utf-8")
    assert "license: other" in card
    assert "| ja | apache-2.0 |" in card
    assert (tmp_path / "exported" / "licences" / "flat" / "README.md").is_file()

    prompts = tmp_path / "run" / "prompts.yaml"
    by_name = [
        m2n2("score", model, "--prompts", prompts, "--language", "ja", "--json", json_output=True)[1]["scores"]
        for model in (tmp_path / "exported", tmp_path / "recipe.json", f"{tmp_path / 'run'}:{child['id']}")
    ]
    assert by_name[0] == by_name[1] == by_name[2]
    assert set(by_name[0]) == {"ja"}


def test_sources(m2n2, family):
    _, listed = m2n2("sources", "list", "--json", json_output=True)
    assert [(row["name"], row["licence"]) for row in listed["sources"]] == [
        ("base", "apache-2.0"),
        ("ja", "apache-2.0"),
        ("flat", "cc-by-4.0"),
        ("real", "mit"),
    ]
    _, told = m2n2("sources", "inspect", family["ja"].path, "--json", json_output=True)
    assert told["components"][0]["sha256"] == family["ja"].components["unet"].sha256
    _, compared = m2n2("sources", "compare", family["ja"].path, family["flat"].path, "--json", json_output=True)
    assert compared["angles"]["attention"][0][0] == 0
    assert 0 < compared["angles"]["attention"][0][1] < 90
    assert compared["text_encoders"] is None


def test_bad_input_is_one_line(m2n2, finished, tmp_path):
    refused(m2n2("show", tmp_path), "holds no run", "m2n2 evolve")
    refused(m2n2("evolve", tmp_path / "nothing.yaml"), "cannot be read")
    refused(m2n2("export", finished, "9999", "--out", tmp_path / "out"), "no individual '9999'", "Alive in it")
    refused(m2n2("score", tmp_path / "nothing", "--prompts", finished / "prompts.yaml"), "was not found")
    refused(m2n2("sources", "inspect", tmp_path), "model_index.json is missing")
    assert not (tmp_path / "out").exists()


def test_usage_is_refused_with_a_hint(m2n2, finished):
    for arguments in (("evolve",), ("evolve", "--resume"), ("evolve", "--resume", "--out", finished, "--seed", 1)):
        done = m2n2(*arguments)
        assert done.returncode == 2
        assert "evolve --help" in done.stderr.replace("\n", " ")


def test_a_port_in_use(m2n2, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(m2n2("studio", "--port", port, "--runs", tmp_path), str(port), "--port")
