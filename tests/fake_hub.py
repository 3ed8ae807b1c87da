"""As much of the Hugging Face hub as fetching needs, on this machine: small repositories in every form, and errors.

with serve() as (address, asked):   # HF_ENDPOINT=address; `asked` grows with each request
"""

import contextlib
import hashlib
import http.server
import json
import threading
from urllib.parse import unquote

import assets

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SDXL = [
    "model_index.json",
    "README.md",
    "LICENSE.md",
    "scheduler/scheduler_config.json",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "tokenizer_2/tokenizer.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors.index.fp16.json",
    "text_encoder/model.fp16-00001-of-00002.safetensors",
    "text_encoder/model.fp16-00002-of-00002.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors.index.json",
    "vae/diffusion_pytorch_model-00001-of-00001.safetensors",
]
NOT_NEEDED = [
    ".gitattributes",
    "sd_xl_base_1.0.safetensors",
    "preview.png",
    "tokenizer/tokenization_own.py",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.bin",
    "unet/old/diffusion_pytorch_model.fp16.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder/model.onnx",
    "vae_1_0/diffusion_pytorch_model.fp16.safetensors",
]
REPOSITORIES = {
    "team/sdxl": SDXL + NOT_NEEDED,
    "team/unet": ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"],
    "team/lora": ["README.md", "adapter_config.json", "adapter_model.safetensors"],
    "team/many": ["README.md", "a [v1].safetensors", "deep/b.safetensors"],
    "team/pickled": ["model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.bin"],
    "team/huge": ["model_index.json", "unet/diffusion_pytorch_model.safetensors"],
    "team/gated": ["README.md", "model_index.json", "unet/diffusion_pytorch_model.safetensors"],
}


@contextlib.contextmanager
def serve():
    """Run a hub: gives its address, and what it was asked so far."""
    handler = type("Handler", (_Hub,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
        server.shutdown()


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers for `REPOSITORIES` and for the embedded base, which is team/base; `/mark/...` only leaves a mark."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def files(self, repo):
        if repo == "team/base":
            folder = assets.FAMILY / "base"
            return {
                file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
            }
        return {file: f"{repo} {file}".encode() for file in REPOSITORIES[repo]}

    def do_GET(self):
        self.asked.append(f"{self.command} {unquote(self.path)}")
        parts = unquote(self.path.partition("?")[0]).strip("/").split("/")
        if parts[0] == "mark":
            return self.answer(200, b"")
        if parts[:2] == ["api", "models"]:
            repo, (kind, revision, *_) = "/".join(parts[2:4]), parts[4:]
            if repo != "team/base" and repo not in REPOSITORIES:
                return self.answer(404, b"", **{"X-Error-Code": "RepoNotFound"})
            if revision not in ("main", COMMIT):
                return self.answer(404, b"", **{"X-Error-Code": "RevisionNotFound"})
            if kind == "revision":
                return self.answer(200, json.dumps({"id": repo, "sha": COMMIT, "siblings": []}).encode())
            listing = [
                {
                    "type": "file",
                    "path": file,
                    "size": 10**18 if repo == "team/huge" else len(content),
                    "oid": hashlib.sha1(content).hexdigest(),
                }
                for file, content in self.files(repo).items()
            ]
            return self.answer(200, json.dumps(listing).encode())
        repo, file = "/".join(parts[:2]), "/".join(parts[4:])
        if repo == "team/gated" and file != "README.md":
            return self.answer(403, b"", **{"X-Error-Code": "GatedRepo"})
        content = self.files(repo)[file]
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        return self.answer(200, content, **{"X-Repo-Commit": COMMIT, "ETag": etag})

    do_HEAD = do_GET

    def answer(self, status, content, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        pass
