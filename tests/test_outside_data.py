"""What comes in is read in one place of each kind, which has limits."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: The readers themselves, and what reads what the program itself wrote a moment ago or brings along.
SANCTIONED = {
    ("pipelines/untrusted.py", "json.loads"): "the reader of JSON",
    ("pipelines/untrusted.py", "yaml.parse"): "the reader of YAML",
    ("pipelines/untrusted.py", "yaml.SafeLoader"): "the reader of YAML",
    ("pipelines/storage/pictures.py", "Image.open"): "the reader of pictures",
    ("pipelines/storage/tensor_file.py", "json.loads"): "a header whose size was checked, and which safetensors read",
    ("eval/prompts/stair_captions.py", "_CaptionsFile.model_validate_json"): "a file whose size was checked",
    ("eval/scorers/clip.py", "json.loads"): "what json.dumps gave",
    ("studio/exporting/certificate.py", "BirthCertificate.model_validate_json"): "a file whose size was checked",
    ("studio/i18n.py", "json.loads"): "comes with the program",
    ("studio/library/source_strengths.py", "json.loads"): "comes with the program",
    ("studio/reference_pages/phrases.py", "json.loads"): "comes with the program",
}
READING = {
    "json": {"load", "loads", "JSONDecoder"},
    "yaml": {"load", "load_all", "safe_load", "safe_load_all", "full_load", "parse", "scan", "compose", "SafeLoader"},
    "Image": {"open"},
    "orjson": {"loads"},
    "tomllib": {"load", "loads"},
    "csv": {"DictReader"},
    "ElementTree": {"parse", "fromstring"},
}
ANYBODYS = {"model_validate_json", "read_json", "metadata_load", "ModelCard", "RepoCard", "imread"}


def readings(tree):
    """Every call in a module that reads a document or a picture, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            owner, _, name = called.rpartition(".")
            if name in READING.get(owner.rpartition(".")[2], ()) or (
                name in ANYBODYS and not (name == "read_json" and not owner)
            ):
                yield called


def test_nothing_else_reads_documents_or_pictures():
    found = {
        (path.relative_to(ROOT).as_posix(), called)
        for room in ("studio", "eval", "pipelines")
        for path in (ROOT / room).rglob("*.py")
        for called in readings(ast.parse(path.read_text("utf-8")))
    }
    assert found == set(SANCTIONED)


@pytest.mark.parametrize(
    "code",
    ["json.loads(x)", "yaml.safe_load(x)", "PIL.Image.open(x)", "Model.model_validate_json(x)", "pd.read_json(x)"],
)
def test_a_new_reading_is_noticed(code):
    assert list(readings(ast.parse(code)))


def test_readers_are_not_imported_by_their_bare_names():
    """`from json import loads` would not be seen."""
    for room in ("studio", "eval", "pipelines"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "") in READING:
                    assert not {one.name for one in node.names} & READING[node.module or ""], path


def test_a_home_of_nobody_is_a_name():
    """`Path("~nobody").expanduser()` raises what no caller expects; `os.path.expanduser` leaves it as it is."""
    for room in ("studio", "eval", "pipelines"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr == "expanduser":
                    assert ast.unparse(node) == "os.path.expanduser", path
