"""The hub: what is chosen and fetched of a repository, what the cache gives, and what is said when nothing comes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.checkpoints.hub import needed_files
from pipelines.checkpoints.hub_names import HubId, parse_hub_id
from pipelines.errors import SourceError
from tests.fake_hub import COMMIT, NOT_NEEDED, SDXL, serve

DRIVER = """
import json, sys, urllib.request
from pipelines.errors import M2N2Error
from pipelines.checkpoints.hub import fetch
from pipelines.checkpoints.hub_names import parse_hub_id
for number, text in enumerate(sys.argv[2:]):
    if sys.argv[1]:
        urllib.request.urlopen(f"{sys.argv[1]}/mark/{number}").close()
    try:
        print(json.dumps({"path": str(fetch(parse_hub_id(text)))}))
    except M2N2Error as error:
        print(json.dumps({"error": str(error)}))
"""


@pytest.fixture(scope="module")
def hub():
    """A hub on this machine: its address, and what it was asked."""
    with serve() as running:
        yield running


def run(home, arguments, *, code=DRIVER, mark="", **environment):
    """What a process of its own answers, a JSON line each; huggingface_hub reads its settings when it is imported."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, mark, *arguments],
        env={**others, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def fetched(hub, home):
    """What comes of each id, and what the hub was asked for it."""
    address, asked = hub
    texts = [
        "team/sdxl",
        "team/sdxl@main",
        "team/unet",
        "team/lora",
        "team/many",
        "team/many/a [v1].safetensors",
        "team/many@main/deep/b.safetensors",
        "team/many/c.safetensors",
        "team/pickled",
        "team/huge",
        "team/gated",
        "team/nowhere",
        "team/sdxl@v9",
    ]
    answers = run(home, texts, mark=address, HF_ENDPOINT=address)
    marks = [asked.index(f"GET /mark/{number}") for number in range(len(texts))] + [len(asked)]
    return {
        text: (answer, asked[marks[number] + 1 : marks[number + 1]])
        for number, (text, answer) in enumerate(zip(texts, answers, strict=True))
    }


def test_one_set_of_weights_is_chosen():
    assert sorted(needed_files(SDXL + NOT_NEEDED, HubId("team/sdxl")).files) == sorted(SDXL)


def test_a_repository_comes_with_what_is_needed(fetched):
    answer, asked = fetched["team/sdxl"]
    folder = Path(answer["path"])
    assert sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()) == sorted(SDXL)
    assert (folder / "unet/config.json").read_text() == "team/sdxl unet/config.json"
    got = [line.partition(f"/resolve/{COMMIT}/")[2] for line in asked if line.startswith("GET") and "resolve" in line]
    assert sorted(got) == sorted(SDXL)


def test_what_is_in_the_cache_asks_nobody(fetched):
    answer, asked = fetched["team/sdxl@main"]
    assert answer == fetched["team/sdxl"][0]
    assert asked == []


def test_how_much_has_come_is_known_without_asking(fetched, home, tmp_path):
    half = shutil.copytree(home, tmp_path / "half", symlinks=True)
    weights = next(half.glob(f"**/models--team--sdxl/snapshots/{COMMIT}/unet/*.safetensors"))
    blob = weights.resolve()
    weights.unlink()
    size = blob.stat().st_size
    blob.rename(blob.with_suffix(".incomplete"))
    os.truncate(blob.with_suffix(".incomplete"), 10)
    code = """
import json, sys
from pipelines.checkpoints.source_uri import download_progress
for text in sys.argv[2:]:
    print(json.dumps(download_progress(text)))
"""
    total = sum(len(f"team/sdxl {file}") for file in SDXL)
    lora = sum(len(f"team/lora {file}") for file in ("README.md", "adapter_config.json", "adapter_model.safetensors"))
    assert run(half, ["team/sdxl", "team/sdxl + 0.5 * team/lora", "team/nowhere", "/here"], code=code) == [
        [total - size + 10, total],
        [total + lora - size + 10, total + lora],
        None,
        None,
    ]


def test_a_unet_alone(fetched):
    folder = Path(fetched["team/unet"][0]["path"])
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert found == {"unet/config.json", "unet/diffusion_pytorch_model.safetensors"}


def test_files(fetched):
    """The only one of a repository, one by its name, one deeper and of a revision; with the card, nothing else."""
    for text, file, others in (
        ("team/lora", "adapter_model.safetensors", {"README.md", "adapter_config.json"}),
        ("team/many/a [v1].safetensors", "a [v1].safetensors", {"README.md"}),
    ):
        path = Path(fetched[text][0]["path"])
        assert path.read_text() == f"{text.partition('/a [')[0]} {file}"
        assert {other.name for other in path.parent.iterdir()} >= others
    assert Path(fetched["team/many@main/deep/b.safetensors"][0]["path"]).read_text() == "team/many deep/b.safetensors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("team/many", "is no diffusers folder, and 2 of its files could be meant. Expected one of its files: "),
        ("team/many", "of its files: team/many/a [v1].safetensors, team/many/deep/b.safetensors."),
        ("team/many/c.safetensors", "team/many holds no c.safetensors. Expected one of its files: team/many/a [v1]"),
        ("team/pickled", "no safetensors weights of unet"),
        ("team/huge", "Fetching team/huge needs 1000000000.07 GB"),
        (
            "team/gated",
            "team/gated is gated: its author lets an account have it once it has accepted the terms. Open http",
        ),
        ("team/gated", "/team/gated and accept them, then run `hf auth login` or set HF_TOKEN"),
        ("team/nowhere", "team/nowhere is no folder here, and http://127.0.0.1"),
        ("team/sdxl@v9", "team/sdxl has no revision 'v9'"),
    ],
)
def test_says_why_nothing_came(fetched, text, message):
    assert message in fetched[text][0]["error"]


def test_a_huge_file_is_not_begun(fetched):
    assert not [line for line in fetched["team/huge"][1] if "safetensors" in line]


def test_offline(fetched, home):
    """The cache gives what it has, also what another program left without a listing; the rest is explained."""
    made = home / "hub" / "models--other--made"
    for file in ("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors"):
        (made / "snapshots" / COMMIT / file).parent.mkdir(parents=True, exist_ok=True)
        (made / "snapshots" / COMMIT / file).write_text("x")
    (made / "refs").mkdir()
    (made / "refs" / "main").write_text(COMMIT)
    texts = ["team/sdxl", "team/lora", "other/made", "team/base", "team/gated", "other/made/x.safetensors"]
    answers = dict(zip(texts, run(home, texts, HF_HUB_OFFLINE="1"), strict=True))
    assert answers["team/sdxl"] == fetched["team/sdxl"][0]
    assert answers["team/lora"] == fetched["team/lora"][0]
    assert answers["other/made"]["path"] == str(made / "snapshots" / COMMIT)
    assert "nor complete in the hub's cache" in answers["team/base"]["error"]
    assert "offline mode is enabled" in answers["team/base"]["error"]
    assert "`hf download team/base --include" in answers["team/base"]["error"]
    assert "`hf download other/made x.safetensors`" in answers["other/made/x.safetensors"]["error"]
    assert "nor complete in the hub's cache" in answers["team/gated"]["error"]


def test_without_a_network(fetched, home):
    texts = ["team/sdxl", "team/unheard", "other/made"]
    closed = "http://127.0.0.1:9"  # nobody listens there
    known, unknown, made = run(home, texts, HF_ENDPOINT=closed)
    assert known == fetched["team/sdxl"][0]
    assert "the hub cannot be asked" in unknown["error"]
    assert "path" in made


def test_a_source_has_the_name_of_its_repository(hub, family, tmp_path):
    """And where there is a token, a gated repository wants its account to accept the terms."""
    code = """
import json, sys
from pipelines.errors import SourceError
from pipelines.checkpoints.source_uri import open_source_uri
for text in sys.argv[2:]:
    try:
        source = open_source_uri(text)
        print(json.dumps([source.name, source.uri, source.licence, source.components["unet"].sha256]))
    except SourceError as error:
        print(json.dumps(str(error)))
"""
    found, refused = run(tmp_path, ["team/base", "team/gated"], code=code, HF_ENDPOINT=hub[0], HF_TOKEN="hf_mine")
    base = family["base"]
    assert found == ["base", "team/base", base.licence, base.components["unet"].sha256]
    assert "lets the account of your token have it" in refused


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("owner/name", HubId("owner/name")),
        ("owner/name@v1.0", HubId("owner/name", "v1.0")),
        ("owner/name@refs/pr/7", HubId("owner/name", "refs/pr/7")),
        ("owner/name@refs/pr/7/a.safetensors", HubId("owner/name", "refs/pr/7", "a.safetensors")),
        ("owner/name/a b/c.safetensors", HubId("owner/name", None, "a b/c.safetensors")),
        ("owner/name/c.ckpt", HubId("owner/name", None, "c.ckpt")),
        ("name", None),
        ("/owner/name", None),
        ("./name", None),
        ("../name", None),
        ("~/name", None),
        ("owner/name/", None),
        ("owner/name/folder", None),
        ("models/a.safetensors", None),
        ("owner/na--me", None),
        ("オーナー/名前", None),
        ("", None),
    ],
)
def test_ids(text, found):
    assert parse_hub_id(text) == found


def test_names():
    assert HubId("owner/name", "v1").name == "name"
    assert HubId("owner/name", None, "deep/file.v2.safetensors").name == "file.v2"


def test_weights_that_are_split_in_the_older_way():
    files = [
        "model_index.json",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        "unet/diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
        "unet/diffusion_pytorch_model-00002-of-00002.fp16.safetensors",
        "unet/diffusion_pytorch_model-00001-of-00003.safetensors",
    ]
    assert sorted(needed_files(files, HubId("a/b")).files) == sorted(files[:4])


def test_refuses_a_repository_without_weights():
    with pytest.raises(SourceError, match="it holds no safetensors"):
        needed_files(["README.md"], HubId("a/b"))
