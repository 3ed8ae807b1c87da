"""The command line: output, `--json`, exit codes, and errors in one line."""

import hashlib
import json
import shutil
import socket
from contextlib import closing

import pytest
from huggingface_hub import constants

from pipelines.storage.tensor_file import TensorFile
from studio.runs.store import open_run
from tests.conftest import python

COMMANDS = {"evolve", "show", "merge", "export", "score", "sources", "studio"}


@pytest.fixture
def finished(bred):
    return bred.folder


def refused(done, *expected):
    """One line on stderr, exit code 1, no traceback."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    for text in expected:
        assert text in done.stderr


def test_help_lists_the_commands():
    done = python("-m", "studio.cli.app", "--help")  # as a person runs it: a process of its own
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


def test_what_cannot_be_written_or_read_is_one_line(m2n2, finished, small_config, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    refused(m2n2("report", finished, "--out", blocked / "report.html"), str(blocked), "may be read and written")
    shutil.copytree(finished, tmp_path / "damaged", ignore=shutil.ignore_patterns("images", "run.db-*"))
    (tmp_path / "damaged" / "run.db").write_bytes(b"no database" * 1000)
    refused(m2n2("show", tmp_path / "damaged"), "run.db cannot be read or written", "database")


def test_any_setting_can_be_given_on_the_command_line(m2n2, pair_config, tmp_path):
    pair_config.save(tmp_path / "run.yaml")
    asked = ["evolve", tmp_path / "run.yaml", "--evaluations", 0, "--out", tmp_path / "run"]
    more = ["--set", "breeding.beta=5", "--set", "pictures.batch=3", "--set", "compete=[ja, en]"]
    assert m2n2(*asked, *more).returncode == 0
    with closing(open_run(tmp_path / "run")) as store:
        config = store.config
    assert (config.breeding.beta, config.pictures.batch, config.compete) == (5.0, 3, ("ja", "en"))
    assert config.pictures.steps == pair_config.pictures.steps
    refused(m2n2(*asked, "--set", "breeding.colour=red"), "at breeding.colour: unknown key")
    refused(m2n2(*asked, "--set", "seed.of=1"), "seed holds no fields")
    done = m2n2(*asked, "--set", "breeding.beta")
    assert done.returncode == 2
    assert "expected KEY=VALUE" in done.stderr


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
    assert "| apache-2.0 |" in card
    assert (tmp_path / "exported" / "licences" / "flat" / "README.md").is_file()

    prompts = tmp_path / "run" / "prompts.yaml"
    by_name = [
        m2n2("score", model, "--prompts", prompts, "--language", "ja", "--json", json_output=True)[1]["scores"]
        for model in (tmp_path / "exported", tmp_path / "recipe.json", f"{tmp_path / 'run'}:{child['id']}")
    ]
    assert by_name[0] == by_name[1] == by_name[2]
    assert set(by_name[0]) == {"ja"}


@pytest.fixture
def recipe_file(one_hot, tmp_path):
    path = tmp_path / "recipe.json"
    one_hot["flat"].save(path)
    return path


def test_merge_writes_a_folder_or_a_file_in_the_precision_asked_for(m2n2, recipe_file, tmp_path):
    done, told = m2n2("merge", recipe_file, "--out", tmp_path / "桜.safetensors", "--json", json_output=True)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "桜.safetensors"
    assert told["path"] == str(path)
    assert told["bytes"] == path.stat().st_size
    assert told["sha256"]["file"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["sha256"]["tensors"] == TensorFile(path).metadata["modelspec.hash_sha256"].removeprefix("0x")
    assert (told["licence"], told["warnings"], told["pushed"]) == ("apache-2.0 AND cc-by-4.0", [], None)
    assert (tmp_path / "桜.about" / "README.md").is_file()
    done = m2n2("merge", recipe_file, "--out", tmp_path / "wide", "--dtype", "fp32")
    assert done.stdout.strip().splitlines()[-1] == str(tmp_path / "wide")
    wide = TensorFile(tmp_path / "wide" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {code for _, code in wide.tensors.values()} == {"F32"}
    assert (tmp_path / "wide" / "README.md").is_file()
    refused(m2n2("merge", recipe_file, "--out", path), "exists already", "choose another")
    assert m2n2("merge", recipe_file, "--out", tmp_path / "x", "--dtype", "int8").returncode == 2


def test_a_licence_to_be_read_first_is_said(m2n2, copied, tmp_path):
    (copied("flat") / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    done = m2n2("merge", tmp_path / "flat", "--out", tmp_path / "out")
    assert done.returncode == 0
    assert done.stdout.strip() == str(tmp_path / "out")
    assert done.stderr.strip() == "licence: flat: not for commercial use"


def test_a_push_that_cannot_be_is_refused_before_anything_is_built(m2n2, recipe_file, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = m2n2("merge", recipe_file, "--out", tmp_path / "out", "--push", "owner/sakura")
    refused(done, "Offline mode is on", "Unset HF_HUB_OFFLINE")
    refused(m2n2("merge", recipe_file, "--out", tmp_path / "out", "--push", "sakura"), "Expected OWNER/NAME")
    assert not (tmp_path / "out").exists()


INTERRUPTED = """
import contextlib, os, signal, sys
from studio.cli import app, console
name, sys.argv = sys.argv[1], ["m2n2", *sys.argv[2:]]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background without it
impatient = contextlib.nullcontext(lambda done, of: os.kill(os.getpid(), getattr(signal, name)))  # at the first bytes
console.bytes_progress = lambda: impatient
app.main()
"""


@pytest.mark.parametrize(("name", "target"), [("SIGINT", "out.safetensors"), ("SIGTERM", "out")])
def test_ctrl_c_and_kill_leave_nothing_behind(recipe_file, tmp_path, name, target):
    (tmp_path / "to").mkdir()
    done = python("-c", INTERRUPTED, name, "merge", recipe_file, "--out", tmp_path / "to" / target)
    assert done.returncode not in (0, 2), done.stdout
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "to").iterdir()) == []


IMPORTED = """
import contextlib, gc, sys
from studio.cli import app
sys.argv = ["m2n2", "clean"]
with contextlib.suppress(SystemExit):
    app.main()
before = gc.get_stats()[2]["collections"]
import torch
print(gc.get_stats()[2]["collections"] - before)
"""


def test_nothing_goes_through_all_of_torch_while_it_is_imported():
    """Python's own thresholds do so four times, which takes a sixth of the import."""
    done = python("-c", IMPORTED)
    assert done.stdout.split()[-1] == "0", done.stderr


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
    refused(m2n2("score", tmp_path / "nothing", "--prompts", finished / "prompts.yaml"), "There is nothing at")
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
