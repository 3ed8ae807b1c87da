"""`m2n2 verify` and `m2n2 clean`: what they print, and the codes that they end with."""

import pytest

from pipelines.storage.unfinished import unfinished_folder, unfinished_path


def test_verify_says_what_differs_and_what_it_did_not_look_at(m2n2, own_copy):
    (own_copy.documents / "LICENSE.md").write_text("anything goes")
    done = m2n2("verify", own_copy.path, "--deep")
    assert done.returncode == 1
    assert done.stdout.count("same bytes") == 4
    assert done.stderr.strip() == "differs: LICENSE.md"
    done, told = m2n2("verify", own_copy.path, "--json", json_output=True)
    assert (done.returncode, told["same"], told["sources"]) == (1, False, None)
    assert told["files"]["changed"] == ["LICENSE.md"]


def test_verify_takes_sources_or_hashes(m2n2, own_copy, tmp_path):
    done = m2n2("verify", own_copy.path, "--deep", "--hashes", tmp_path / "hashes.json")
    assert done.returncode == 2
    assert "expected it without" in done.stderr


@pytest.mark.parametrize("named", [True, False])
def test_clean_lists_what_is_half_written_and_removes_it_when_told_to(m2n2, tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    folders = [tmp_path / "exports"] if named else []
    assert m2n2("clean").stdout == "nothing half-written\n"
    file = unfinished_path(tmp_path / "exports" / "momiji.safetensors")
    file.parent.mkdir()
    file.write_bytes(bytes(200_000))
    (tmp_path / "exports" / ".mine").touch()
    done = m2n2("clean", *folders)
    assert done.returncode == 0
    assert done.stdout.endswith(f"{file.name} (0.2 MB, was to be momiji.safetensors)\n")
    assert "m2n2 clean --remove" in done.stderr
    with unfinished_folder(tmp_path / "exports" / "now") as current:
        done, told = m2n2("clean", *folders, "--remove", "--json", json_output=True)
        assert [(one["name"], one["bytes"]) for one in told["leftovers"]] == [("momiji.safetensors", 200_000)]
        assert told["removed"]
        assert current.is_dir()
    assert [one.name for one in file.parent.iterdir()] == [".mine"]


def test_clean_names_a_folder_that_is_none(m2n2, tmp_path):
    done = m2n2("clean", tmp_path / "nothing")
    assert done.returncode == 2
    assert "expected a folder" in done.stderr
