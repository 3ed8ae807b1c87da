"""What a killed process leaves is told from what is whole and from what somebody is writing now."""

import os

import pytest

from pipelines.errors import ExportError
from pipelines.exporting.drafts import atomic_outputs
from pipelines.storage.unfinished import leftovers, remove_leftover, unfinished_folder, unfinished_path
from tests.conftest import python

PROGRAM = """
import os, shutil, signal, sys
from pathlib import Path
from pipelines.exporting.drafts import atomic_outputs
from pipelines.storage.files import write_whole


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_rename(number):
    rename, done = os.replace, []

    def replace(*paths):
        if len(done) == number:
            die()
        done.append(paths)
        rename(*paths)

    os.replace = replace


def two(work):
    with atomic_outputs(work / "a.safetensors", work / "a.about", size=1) as (file, about):
        write_whole(file, b"weights")
        about.mkdir()
        (about / "README.md").write_text("card")


def small(work):
    write_whole(work / "set.yaml", b"old")
    die_at_rename(0)
    write_whole(work / "set.yaml", b"new")


def before_documents(work):
    die_at_rename(1)  # the first is that of the file's own, within the draft
    two(work)


def between(work):
    die_at_rename(2)
    two(work)


def after_all(work):
    shutil.rmtree = die
    two(work)


for case in (small, before_documents, between, after_all):
    work = Path(sys.argv[1]) / case.__name__
    work.mkdir()
    child = os.fork()
    if not child:
        case(work)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), case.__name__
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Folders in which a process was killed amid writing, by how; one process imports for all of them."""
    work = tmp_path_factory.mktemp("killed")
    done = python("-W", "ignore", "-c", PROGRAM, work)
    assert done.returncode == 0, done.stderr
    return work


@pytest.fixture
def work(killed, tmp_path):
    """Gives a copy of one of them, which keeps what is noted of its files."""

    def moved(name):
        place = tmp_path / name
        (killed / name).rename(place)
        return place

    return moved


def test_a_file_that_was_being_written_is_a_leftover(work):
    place = work("small")
    (found,) = leftovers(place)
    assert (found.name, found.size) == ("set.yaml", 3)
    assert (place / "set.yaml").read_bytes() == b"old"
    remove_leftover(found)
    assert [file.name for file in place.iterdir()] == ["set.yaml"]


def test_an_export_has_its_name_when_all_of_it_is_there(work):
    place = work("before_documents")
    (found,) = leftovers(place)
    assert list(place.iterdir()) == [found.path]
    assert found.name == "a.safetensors"
    remove_leftover(found)
    assert list(place.iterdir()) == []


def test_documents_that_were_renamed_before_the_kill_go_and_those_of_somebody_else_stay(work, tmp_path):
    place = work("between")
    assert (place / "a.about" / "README.md").is_file()
    assert not (place / "a.safetensors").exists()
    (place / "a.about").rename(tmp_path / "moved")
    (place / "a.about").mkdir()
    (found,) = leftovers(place)
    other, there = place / "a.about", found.path.with_name("kept")
    other.rename(there)
    (tmp_path / "moved").rename(other)
    assert leftovers(place)[0].size > found.size
    remove_leftover(found)
    assert list(place.iterdir()) == [there]


def test_an_export_that_is_whole_stays_where_its_draft_was_left(work):
    place = work("after_all")
    (found,) = leftovers(place)
    remove_leftover(found)
    assert sorted(file.name for file in place.iterdir()) == ["a.about", "a.safetensors"]


def test_what_somebody_is_writing_is_no_leftover(tmp_path):
    with unfinished_folder(tmp_path / "momiji") as folder:
        (folder / "momiji").mkdir()
        assert leftovers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_only_what_bears_our_name_is_a_leftover(tmp_path):
    for name in (".a.b", ".a.0123456789ab.m2n2", "a.0123456789ab.m2n2-part", ".a.0123456789AB.m2n2-part", ".m2n2-part"):
        (tmp_path / name).touch()
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, unfinished_path(tmp_path / "link"))
    assert leftovers(tmp_path) == []
    below = unfinished_path(tmp_path / "below" / "deep" / "x")
    below.mkdir(parents=True)
    (below / unfinished_path(below / "y").name).touch()
    assert [one.path for one in leftovers(tmp_path)] == [below]


def test_a_failure_leaves_nothing(tmp_path):
    def fail():
        with atomic_outputs(tmp_path / "a", size=1) as (draft,):
            draft.mkdir()
            raise OSError(28, "No space left on device")

    with pytest.raises(ExportError, match="could not be written"):
        fail()
    assert list(tmp_path.iterdir()) == []
