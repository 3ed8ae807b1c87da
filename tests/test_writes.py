"""Whatever the program writes takes its name when it is whole: small files by `write_whole`, exports in a draft."""

import ast

import pytest

from tests.floors import ROOT, modules

WRITERS = {"write_text", "write_bytes", "copy", "copy2", "copyfile", "copytree", "move", "save_file"}
RENAMES = {"replace", "rename", "renames"}
#: What writes otherwise, by file, and why it may.
OTHERWISE = {
    "pipelines/storage/files.py": {
        "open(temporary, 'xb')",  # write_whole itself
        "os.replace(temporary, path)",
    },
    "pipelines/storage/unfinished.py": {
        "(folder / _MOVING).write_text(json.dumps({path.name: path.stat().st_ino for path in outputs}), 'utf-8')",
    },  # into an unfinished folder
    "pipelines/storage/pickled.py": {
        "save_file(tensors, unfinished / target.name, metadata={'format': 'pt'})",  # into an unfinished folder
        "os.replace(unfinished / target.name, target)",
    },
    "pipelines/architectures/sdxl.py": {"os.replace(unfinished / folder.name, folder)"},
    "pipelines/weaving/weave.py": {"open(path, 'wb')"},  # into a draft of an export
    "pipelines/weaving/written_file.py": {"open(path, 'r+b')"},  # the same
    "pipelines/exporting/export.py": {  # all of it in drafts of exports
        "(unfinished / document.name).write_bytes(without_places(document))",
        "(folder / part / file.name).write_bytes(without_places(file))",
    },
    "pipelines/exporting/lora_export.py": {
        "save_file(dict(lora.tensors), unfinished[0], {**(metadata or {}), **_header(base, rank, lora.errors)})",
    },  # into a draft of an export
    "pipelines/exporting/drafts.py": {"os.replace(made, target)", "os.replace(target, made)"},
    "studio/cluster/node_source.py": {
        "open(target, 'wb')",
        "os.replace(draft / folder.name, folder)",
    },  # a draft of a copy
    "studio/run_folders/making.py": {"os.rename(hidden, target)"},  # an unfinished folder, when it is whole
    "studio/run_folders/removing.py": {"os.rename(folder, hidden)"},  # out of sight, before it is removed
    "studio/journal.py": {"open(self.path, 'ab+', buffering=0)"},  # appends; a reader skips a line cut short
    "studio/jobs/process.py": {"open(log, 'ab')"},  # what a process prints
    "studio/ui/export/publish.py": {"shutil.copy(published.path, download_folder())"},  # the same
    "studio/ui/export/page.py": {"shutil.copy(done.planned.target, download_folder())"},  # gone with the studio
}


def writes(tree):
    """Calls that write a file or give one another name, as they are written; of `save`, those to no buffer."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        modes = [one.value for one in [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
                 if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
        if (
            name in WRITERS - ({"copy"} if owner != "shutil" else set())
            or (name in RENAMES and (owner == "os" or name == "rename"))
            or (name == "open" and owner != "os" and any(set(mode) & set("wax+") and len(mode) < 4 for mode in modes))
            or (name in ("save", "savez") and owner in ("np", "torch", "image", "copy", "pixels", "small", "picture")
                and ast.unparse(node.args[0]) != "buffer")
        ):  # fmt: skip
            yield ast.unparse(node)


@pytest.mark.parametrize("package", ["studio", "eval", "pipelines"])
def test_all_that_is_written_is_written_whole(package):
    for path in modules(package):
        place = path.relative_to(ROOT).as_posix()
        found = set(writes(ast.parse(path.read_text("utf-8"))))
        assert found == OTHERWISE.get(place, set()), f"{place}: use write_whole, or atomic_outputs"


def test_a_write_is_seen():
    text = (
        "open(a, 'w')\nopen(a, mode='ab')\nopen(a)\nopen(a, 'rb')\na.open('x')\na.write_text('b')\nshutil.copy(a, b)\n"
        "b.copy()\nos.rename(a, b)\na.rename(b)\n'a'.replace('b', 'c')\nnp.save(buffer, a)\nnp.save(a, b)\n"
    )
    assert sorted(writes(ast.parse(text))) == sorted(
        ["open(a, 'w')", "open(a, mode='ab')", "a.open('x')", "a.write_text('b')", "shutil.copy(a, b)",
         "os.rename(a, b)", "a.rename(b)", "np.save(a, b)"]
    )  # fmt: skip
