"""Opening a checkpoint reads its header and configurations, to the byte, and no tensor."""

import os
import sys
from pathlib import Path

import pytest

from pipelines.checkpoints.source_uri import open_source_uri
from tests.file_forms import WHOLE, forms_place
from tests.full_keys import FILES, small_sdxl

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux says that a thread has read")
AROUND = 64 << 10  # bytes that come into a map beside a byte that is touched in it
COUNTED = 24  # bytes of the counter that are read: the first of its numbers, and never more or less of it
MORE_THAN_A_HEADER = 10  # times what opening reads


def bytes_read_by(work):
    """What this thread reads by system calls while it works, from whatever file, and what the work gives."""
    counter = os.open("/proc/thread-self/io", os.O_RDONLY)
    try:
        before = os.pread(counter, COUNTED, 0)
        result = work()
        after = os.pread(counter, COUNTED, 0)
    finally:
        os.close(counter)
    began, ended = (int(content.split()[1]) for content in (before, after))
    return ended - began - COUNTED, result  # the first look is counted in the second


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Gives what opening a form and looking at what it holds has read, in bytes, and what it opened."""
    folder = small_sdxl(tmp_path_factory.mktemp("small") / "folder", seed=1)

    def look(path):
        source = open_source_uri(path)
        assert not source.shortfalls
        assert not source.strange_keys
        assert source.architecture.text_to_image
        return source

    def read(form):
        path = WHOLE[form](forms_place(tmp_path_factory.mktemp("forms"), folder), folder)
        look(path)  # what is imported at first
        count, source = bytes_read_by(lambda: look(path))
        return count, source, path

    return read


def header_of(file):
    with open(file, "rb") as opened:
        return int.from_bytes(opened.read(8), "little")


def mapped(file):
    """Bytes of the maps of a file whose pages have been touched."""
    entries, inside = [], False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = line.endswith(str(file))
        elif inside and line.startswith("Rss:"):
            entries.append(int(line.split()[1]) << 10)
    return entries


@pytest.mark.parametrize(("form", "count"), [("a single file", 1), ("a folder", 4), ("ComfyUI's inner names", 1)])
def test_opening_reads_headers_and_configurations_alone(opened, form, count):
    read, _source, path = opened(form)  # open for as long as its maps are looked at
    place = path if path.is_dir() else path.parent
    files = [path / part / name for part, name in FILES.items()] if path.is_dir() else [path]
    headers = sum(8 + 8 + header_of(file) for file in files)  # its length is looked at before it is read
    documents = [place / "model_index.json", place / "scheduler" / "scheduler_config.json"]
    documents += [place / part / "config.json" for part in FILES]
    assert len(files) == count
    assert read == headers + sum(document.stat().st_size for document in documents)
    assert sum(file.stat().st_size for file in files) > MORE_THAN_A_HEADER * headers
    for file in files:
        touched = mapped(file)
        assert touched
        assert all(size <= header_of(file) + AROUND for size in touched)


def test_a_tensor_that_is_read_would_be_seen(opened):
    """The measure itself: one tensor more is as many bytes more."""
    _, source, _ = opened("a single file")
    unet = source.components["unet"]
    name = max(unet.tensors, key=lambda one: len(unet.read(one).reshape(-1)))
    count, tensor = bytes_read_by(lambda: unet.read(name))
    assert count == tensor.nbytes
