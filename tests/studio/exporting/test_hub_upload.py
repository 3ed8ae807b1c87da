"""Pushing an export: to a hub on this machine that keeps what it is sent, and the refusals of one."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import HfApi, constants

import assets
from pipelines.errors import ExportError
from pipelines.recipes.recipe import parse_recipe
from studio.exporting import export_plan, hub_upload
from studio.exporting.certificate import BirthCertificate, load_certificate


class Hub(ThreadingHTTPServer):
    """As much of the Hugging Face hub as a commit of small files takes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.files = {}
        self.refusal = None  # (status, message) for what writes
        self.address = f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self):
        return [path for path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/api/whoami-v2":
            self.answer({"type": "user", "name": "owner", "auth": {}})
        else:
            self.answer({"error": "Repository not found"}, 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        if self.server.refusal and "validate" not in self.path:
            status, message = self.server.refusal
            self.answer({"error": message}, status)
        elif self.path == "/api/repos/create":
            self.answer({"url": f"{self.server.address}/owner/sakura"})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]})
        elif "/commit/" in self.path:
            for line in body.splitlines():
                sent = json.loads(line)
                if sent["key"] == "file":
                    self.server.files[sent["value"]["path"]] = base64.b64decode(sent["value"]["content"])
            self.answer({"commitUrl": f"{self.server.address}/owner/sakura/commit/1", "commitOid": "1"})
        else:
            self.answer({})

    def answer(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.address, token="hf_test")


@pytest.fixture(scope="module")
def shipped(family, one_hot, tmp_path_factory):
    place = tmp_path_factory.mktemp("shipped")
    return {
        name: export_plan.plan_recipe_export(one_hot["flat"], family, place / name).write()
        for name in ("sakura", "sakura.safetensors")
    }


@pytest.mark.parametrize("name", ["sakura", "sakura.safetensors"])
def test_everything_goes_in_one_commit_without_paths_of_this_machine(hub, api, shipped, family, name):
    hub_upload.check_push("owner/sakura", api)
    assert hub_upload.push_export(shipped[name], "owner/sakura", api) == f"{hub.address}/owner/sakura"
    created = json.loads(dict(hub.asked)["/api/repos/create"])
    assert (created["organization"], created["name"], created["visibility"]) == ("owner", "sakura", "private")
    assert [path for path in hub.paths if "/commit/" in path] == ["/api/models/owner/sakura/commit/main"]
    assert "/api/validate-yaml" in hub.paths
    assert {"README.md", "LICENSE.md", "recipe.json", "licences/ja/LICENSE"} <= set(hub.files)
    listed = {line[66:]: line[:64] for line in hub.files.pop("SHA256SUMS").decode().splitlines()}
    assert listed == {place: hashlib.sha256(content).hexdigest() for place, content in hub.files.items()}
    recipe = parse_recipe(hub.files["recipe.json"].decode())
    assert [source.uri for source in recipe.sources] == ["base", "ja", "flat", "real"]
    assert not any(str(family["ja"].path.parent).encode() in content for content in hub.files.values())
    if name == "sakura":
        assert hub.files["unet/config.json"] == (shipped[name].path / "unet" / "config.json").read_bytes()
    else:
        assert hub.files[name] == shipped[name].path.read_bytes()
        assert 'config="config"' in hub.files["README.md"].decode()
        assert "config/model_index.json" in hub.files


def test_a_birth_certificate_goes_without_paths_of_this_machine(hub, api, bred, tmp_path):
    shipped = export_plan.plan_export(bred, "0001", tmp_path / "momiji").write()
    here = str(assets.JUDGE.parent).encode()
    assert here not in (shipped.path / "birth.json").read_bytes()
    again = load_certificate(shipped.path / "birth.json").with_noted_places()
    assert again.scorer["name"] == f"local-dir:{assets.JUDGE}"  # this machine finds its scorer again
    hub_upload.push_export(shipped, "owner/momiji", api)
    assert not any(here in content for content in hub.files.values())
    sent = BirthCertificate.model_validate_json(hub.files["birth.json"])
    assert sent.scorer["name"] == "local-dir:judge"
    assert sent.scores == load_certificate(shipped.path / "birth.json").scores


def test_what_is_not_what_was_written_is_not_uploaded(hub, api, family, one_hot, tmp_path):
    shipped = export_plan.plan_recipe_export(one_hot["flat"], family, tmp_path / "sakura").write()
    (shipped.path / "LICENSE.md").write_text("anything goes")
    with pytest.raises(ExportError, match=r"is not what was written \(differs: LICENSE.md\).*nothing was uploaded"):
        hub_upload.push_export(shipped, "owner/sakura", api)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((401, "Invalid credentials"), "Invalid credentials. The token does not hold: run `hf auth login`"),
        ((403, "Forbidden"), "use one with write access"),
        ((404, "Repository not found"), "check its owner"),
        ((500, "On fire"), "On fire. Try again later."),
    ],
)
def test_a_refusal_is_told_with_what_to_do(hub, api, shipped, refusal, told, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # between tries
    hub.refusal = refusal
    with pytest.raises(ExportError) as error:
        hub_upload.push_export(shipped["sakura"], "owner/sakura", api)
    assert str(error.value).startswith("The hub refused owner/sakura: ")
    assert told in str(error.value)
    assert f"{shipped['sakura'].path} is whole" in str(error.value)
    assert (shipped["sakura"].path / "model_index.json").is_file()


@pytest.mark.parametrize("name", ["sakura", "a/b/c", "owner/", "own er/sakura", "../x"])
def test_a_name_that_is_none(api, hub, name):
    with pytest.raises(ExportError, match="is no name of a repository. Expected OWNER/NAME"):
        hub_upload.check_push(name, api)
    assert hub.asked == []


def test_without_token_or_network_nothing_is_built(hub, monkeypatch):
    monkeypatch.setattr(hub_upload, "get_token", lambda: None)
    with pytest.raises(ExportError, match="No token for the hub was found. Run `hf auth login`"):
        hub_upload.check_push("owner/sakura", HfApi(endpoint=hub.address))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ExportError, match="Offline mode is on, and owner/sakura is on the hub. Unset HF_HUB_OFFLINE"):
        hub_upload.check_push("owner/sakura", HfApi(endpoint=hub.address, token="hf_test"))
    assert hub.asked == []


def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ExportError, match="could not be pushed to http://127.0.0.1:9 .*Expected a connection"):
        hub_upload.check_push("owner/sakura", HfApi(endpoint="http://127.0.0.1:9", token="hf_test"))
