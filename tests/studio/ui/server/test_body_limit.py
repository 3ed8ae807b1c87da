"""What a request brings is counted."""

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from benchmarks.app.pages import KEY
from studio.ui.server.app import UPLOAD
from studio.ui.server.body_limit import BodyLimit


@pytest.fixture
def client():
    app = FastAPI()
    app.add_middleware(BodyLimit, most=1000)

    @app.post("/")
    async def size(request: Request) -> int:
        return len(await request.body())

    return TestClient(app)


def test_a_request_without_end_is_cut_off(client):
    assert client.post("/", content=b"x" * 1000).json() == 1000
    assert client.post("/", content=b"x" * 1001).status_code == 413
    assert client.post("/", content=(b"x" * 100 for _ in range(10))).json() == 1000  # no length is told beforehand
    assert client.post("/", content=(b"x" * 100 for _ in range(11))).status_code == 413
    for told in ("-1", "9" * 40, "x"):
        assert client.post("/", content=b"x", headers={"content-length": told}).status_code == 413


def test_an_upload_is_limited(finished_app):
    client = TestClient(finished_app, "http://localhost", headers=KEY)
    large = {"files": ("x.png", b"x" * (33 << 20), "image/png")}
    assert client.post("/en/gradio_api/upload", files=large).status_code == 413
    assert client.post("/en/gradio_api/upload", files={"files": ("x.png", b"x", "image/png")}).status_code == 200
    assert client.post("/en/gradio_api/upload", content=b"x" * (65 << 20)).status_code == 413
    assert UPLOAD == "32mb"
