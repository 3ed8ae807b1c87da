"""The manifest of an export: what `sha256sum --check` reads, and what is said of files that are not as they were."""

import hashlib
import shutil
import subprocess

import pytest

from pipelines.errors import ExportError
from pipelines.exporting.manifest import MANIFEST_FILE, compare_files, manifest, read_manifest, write_manifest

ODD = "licences/a\\b\nc/LICENSE"


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "momiji.about"
    (folder / "licences" / "a\\b\nc").mkdir(parents=True)
    (folder / "README.md").write_bytes(b"card")
    (folder / ODD).write_bytes(b"terms")
    (tmp_path / "momiji.safetensors").write_bytes(b"weights")
    write_manifest(folder, tmp_path / "momiji.safetensors")
    return folder


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_it_names_every_file_and_the_weights_beside_them(documents):
    digests = read_manifest(documents)
    assert digests == {
        "README.md": sha256(b"card"),
        ODD: sha256(b"terms"),
        "../momiji.safetensors": sha256(b"weights"),
    }
    told = []
    found = compare_files(documents, digests, lambda *now: told.append(now))
    assert (found.checked, found.same) == (3, True)
    assert told[-1] == (16, 16)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils are not there")
def test_coreutils_read_it(documents):
    def check():
        return subprocess.run(
            ["sha256sum", "--check", "--quiet", MANIFEST_FILE], cwd=documents, capture_output=True, check=False
        ).returncode

    assert check() == 0
    (documents / ODD).write_bytes(b"other terms")
    assert check() == 1


def test_what_was_changed_taken_away_and_added_is_named(documents):
    (documents / "README.md").write_bytes(b"CARD")
    (documents / ODD).unlink()
    (documents / "weights.bin").touch()
    (documents / ".cache").mkdir()
    (documents / ".cache" / "download").touch()
    found = compare_files(documents, read_manifest(documents))
    assert (found.changed, found.missing, found.unexpected) == (("README.md",), (ODD,), ("weights.bin",))
    assert not found.same


def test_there_is_none_in_what_is_older(tmp_path):
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "a/../../x", "..", "a/..", "../a/b", "x\0y"])
def test_it_names_nothing_outside_of_the_export(tmp_path, name):
    (tmp_path / MANIFEST_FILE).write_bytes(manifest({name: "0" * 64}))
    with pytest.raises(ExportError, match="line 1 names no file of it"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"no hash  README.md\n", b"\xff\xfe", b"0" * 64 + b"README.md\n"])
def test_what_is_no_manifest_is_refused(tmp_path, content):
    (tmp_path / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(ExportError, match="SHA256SUMS cannot be read"):
        read_manifest(tmp_path)
