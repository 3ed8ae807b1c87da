"""What files of strangers may do: no code of theirs is run, wherever a configuration or a tokenizer is read."""

import ast
import json
import shutil
from pathlib import Path

import open_clip
import pytest

import assets
from eval.errors import ScorerError
from eval.prompts.editing import read_rows
from eval.prompts.prompt_set import load_prompts
from eval.scorers.checked_config import check_model_config
from eval.scorers.clip import ClipScorer
from eval.scorers.tokens import truncated_by
from pipelines.checkpoints.contents import read_json
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError, M2N2Error, SourceError
from pipelines.generation import build
from pipelines.recipes.recipe import load_recipe
from studio.execution.creation import create_run
from studio.exporting.export_plan import plan_recipe_export
from studio.exporting.recipe_package import RecipePackage
from studio.library.model_reference import open_model
from studio.runs.config_file import load_config
from studio.ui.sources.adding import sources_in

ROOT = Path(__file__).parents[1]

# Every place that may read what could be a program, by what is called there. A new one is looked at before it is added.
READERS = {
    ("eval/scorers/tokens.py", "get_tokenizer"): "open_clip's own byte pairs, by the name of its own model",
    ("eval/scorers/tokens.py", "HFTokenizer"): "keys checked, trust_remote_code=False",
    ("eval/scorers/clip.py", "create_model_and_transforms"): "keys checked, weights_only=True",
    ("pipelines/generation/build.py", "from_pretrained"): "a tokenizer of transformers, trust_remote_code=False",
    ("pipelines/generation/build.py", "from_config"): "a class of diffusers, of the kind that is wanted",
    ("pipelines/generation/build.py", "from_dict"): "a configuration of transformers, checked",
    ("pipelines/generation/build.py", "load_lora_weights"): "use_safetensors=True",
    ("pipelines/storage/pickled.py", "load"): "torch.load with weights_only=True",
    ("studio/cluster/actor.py", "loads"): "requests of the run to its own workers",
    ("studio/cluster/ray_slot.py", "loads"): "what a run's own workers answer",
    ("studio/networks/user_scorer.py", "spec_from_file_location"): "the user's own scorer, which says so",
    ("studio/networks/user_scorer.py", "module_from_spec"): "the user's own scorer, which says so",
    ("studio/networks/user_scorer.py", "exec_module"): "the user's own scorer, which says so",
}
ANYWHERE = {
    *("eval", "exec", "compile", "__import__", "import_module", "spec_from_file_location", "module_from_spec"),
    *("exec_module", "run_path", "run_module", "from_pretrained", "from_config", "from_dict", "from_single_file"),
    *("load_lora_weights", "load_textual_inversion", "get_tokenizer", "HFTokenizer", "unsafe_load", "full_load"),
}
LOADERS = {"torch", "pickle", "yaml", "dill", "joblib", "marshal", "hub", "jit", "cloudpickle", "shelve"}


def calls(tree):
    """What a module calls that could run a program: (name, keyword arguments)."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        bare = isinstance(node.func, ast.Name)
        owner = getattr(getattr(node.func, "value", None), "id", getattr(getattr(node.func, "value", None), "attr", ""))
        keywords = {one.arg: getattr(one.value, "value", one.value) for one in node.keywords}
        if name in ("eval", "compile") and not bare:
            continue  # a module's own: torch.nn.Module.eval, re.compile
        if name == "from_single_file" and (bare or owner == "sdxl_single_file"):
            continue  # the house's own, for names of tensors
        loader = name in ("load", "loads", "load_all", "Unpickler") and owner in LOADERS
        if loader or name in ANYWHERE or name.startswith(("create_model", "Auto")):
            yield name, keywords


def test_nothing_else_reads_what_could_be_a_program():
    found = {}
    for room in ("studio", "eval", "pipelines"):
        for path in (ROOT / room).rglob("*.py"):
            for name, keywords in calls(ast.parse(path.read_text("utf-8"))):
                found.setdefault((path.relative_to(ROOT).as_posix(), name), []).append(keywords)
    assert set(found) == set(READERS)
    for place in (("eval/scorers/tokens.py", "HFTokenizer"), ("pipelines/generation/build.py", "from_pretrained")):
        assert [one["trust_remote_code"] for one in found[place]] == [False]
    for place in (("eval/scorers/clip.py", "create_model_and_transforms"), ("pipelines/storage/pickled.py", "load")):
        assert all(one["weights_only"] is True for one in found[place])
    assert all(one["use_safetensors"] is True for one in found["pipelines/generation/build.py", "load_lora_weights"])


@pytest.mark.parametrize(
    "code", ["eval(x)", "torch.load(f)", "yaml.load(f)", "transformers.AutoModel(x)", "open_clip.create_model(x)"]
)
def test_a_new_reader_is_noticed(code):
    assert list(calls(ast.parse(code)))


def armed(folder, marker):
    """Files that transformers would import for whoever trusts them: they write `marker`."""
    (folder / "tokenization_evil.py").write_text(
        f"open({str(marker)!r}, 'w').close()\nfrom transformers import PreTrainedTokenizerFast\n"
        "class Evil(PreTrainedTokenizerFast):\n    pass\n"
    )
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    content |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["tokenization_evil.Evil", None]}}
    path.write_text(json.dumps(content))
    return folder


def with_keys(folder, **text):
    path = folder / "open_clip_config.json"
    content = json.loads(path.read_text())
    content["model_cfg"]["text_cfg"] |= text
    path.write_text(json.dumps(content))


@pytest.fixture
def scorer(tmp_path):
    """The folder of the scorer that comes with the studio, to change."""
    return shutil.copytree(next(path for path in (ROOT / "assets/scorers").iterdir() if path.is_dir()), tmp_path / "s")


@pytest.mark.parametrize("kwargs", [{"trust_remote_code": True}, {}])
@pytest.mark.parametrize("opened", [ClipScorer, lambda name: truncated_by(name, ["a"])])
def test_a_scorers_folder_runs_no_code(scorer, tmp_path, opened, kwargs):
    armed(scorer, tmp_path / "marker")
    with_keys(scorer, hf_tokenizer_name=str(scorer), tokenizer_kwargs=kwargs)
    with pytest.raises(ScorerError, match="`trust_remote_code`" if kwargs else "`auto_map`") as caught:
        opened(f"local-dir:{scorer}")
    assert not (tmp_path / "marker").exists()
    assert "Evil" not in str(caught.value)


def test_the_command_line_runs_no_code_of_a_scorers_folder(m2n2, scorer, tmp_path, few_prompts):
    armed(scorer, tmp_path / "marker")
    with_keys(scorer, hf_tokenizer_name=str(scorer), tokenizer_kwargs={"trust_remote_code": True})
    model = assets.FAMILY / assets.NAMES[0]
    done = m2n2("score", model, "--prompts", few_prompts, "--scorer", f"local-dir:{scorer}")
    assert done.returncode == 1
    assert "`trust_remote_code`" in " ".join(done.stderr.split())
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "content",
    [{"auto_map": {}}, {"sub": [{"trust_remote_code": True}]}, {"_attn_implementation": "owner/kernel"}],
)
def test_configurations_for_transformers_name_no_code(scorer, file, content):
    with_keys(scorer, hf_tokenizer_name=str(scorer))
    path = scorer / file
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | content))
    with pytest.raises(ScorerError, match="names code to run"):
        ClipScorer(f"local-dir:{scorer}")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"vision_cfg": {"timm_model_name": "hf-hub:owner/name"}}, "timm_model_name"),
        ({"text_cfg": {"hf_tokenizer_name": -1}}, "hf_tokenizer_name"),
        ({"text_cfg": {"hf_model_name": ["a"]}}, "hf_model_name"),
        ({"text_cfg": {"norm_kwargs": {"device": "meta"}}}, "device"),
        ({"text_cfg": {"context_length": {"a": 1}}}, "context_length"),
        ({"pretrained": "owner/name"}, "pretrained"),
    ],
)
def test_a_scorers_configuration_has_named_keys_only(change, key):
    with pytest.raises(ScorerError, match=f"`{key}`"):
        check_model_config({"text_cfg": {}, "vision_cfg": {}} | change, "x.json")


def test_open_clips_own_configurations_are_allowed():
    for name in open_clip.list_models():
        check_model_config(open_clip.get_model_config(name), name)


def test_a_sources_tokenizer_runs_no_code(copied, tmp_path):
    source = copied(assets.NAMES[0])
    armed(source / "tokenizer", tmp_path / "marker")
    index = json.loads((source / "model_index.json").read_text())
    for name in ("AutoTokenizer", "Evil", "AutoProcessor"):
        index["tokenizer"] = ["transformers", name]
        (source / "model_index.json").write_text(json.dumps(index))
        with pytest.raises(SourceError, match="cannot be read"):
            build.load_tokenizer("tokenizer", open_source(source))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["pipeline", "AutoModel", "DDIMScheduler", "utils"])
def test_a_component_is_a_network_of_the_libraries(copied, name):
    source = copied(assets.NAMES[0])
    index = json.loads((source / "model_index.json").read_text())
    index["unet"] = ["diffusers" if name != "pipeline" else "transformers", name]
    index["scheduler"] = ["diffusers", "UNet2DConditionModel"]
    (source / "model_index.json").write_text(json.dumps(index))
    opened = open_source(source)
    with pytest.raises(SourceError, match="never run"):
        build.empty_module("unet", opened, None)
    with pytest.raises(SourceError, match="never run"):
        build.make_scheduler(opened)


def test_a_sources_configuration_names_no_code(copied):
    source = copied(assets.NAMES[0])
    path = source / "text_encoder_2" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attn_implementation": "owner/kernel"}))
    with pytest.raises(SourceError, match="`attn_implementation`"):
        build.empty_module("text_encoder_2", open_source(source), None)


@pytest.mark.parametrize("place", ["ja/merged", "ja/vae/merged.safetensors", "real.safetensors"])
def test_nothing_is_merged_over_a_source_or_into_its_folder(m2n2, copied, tmp_path, place):
    ja, real = copied("ja"), tmp_path / "real.safetensors"
    assert m2n2("recipe", "blend", copied("real"), "--out", tmp_path / "one.json").returncode == 0
    assert m2n2("merge", tmp_path / "one.json", "--out", real).returncode == 0
    before = real.read_bytes()
    assert m2n2("recipe", "blend", ja, real, "--out", tmp_path / "half.json").returncode == 0
    target = ja.parent / place if place.startswith("ja") else real
    done = m2n2("merge", tmp_path / "half.json", "--out", target)
    assert done.returncode == 1
    assert "a source of this recipe" in " ".join(done.stderr.split()) or "exists already" in done.stderr
    for command in (["blend", ja, real], ["pin", tmp_path / "half.json"]):
        done = m2n2("recipe", *command, "--out", target if target == real else ja / "model_index.json")
        assert done.returncode == 1
        assert "a source of this recipe" in " ".join(done.stderr.split())
    assert real.read_bytes() == before
    assert "_class_name" in (ja / "model_index.json").read_text()
    assert not (ja / "merged").exists()


def test_a_recipe_package_is_not_put_into_a_source(m2n2, copied, tmp_path):
    ja = copied("ja")
    assert m2n2("recipe", "blend", ja, "--out", tmp_path / "one.json").returncode == 0
    recipe, opened = open_model(str(tmp_path / "one.json"))
    planned = RecipePackage(plan_recipe_export(recipe, opened, tmp_path / "x"), ja / "x.recipe.zip")
    with pytest.raises(ExportError, match="a source of this recipe"):
        planned.write()
    assert not (ja / "x.recipe.zip").exists()


@pytest.mark.parametrize("id", ["../../x", "/abs/x", "a/../../../x", "Turtle"])
def test_a_prompts_id_names_no_file_outside_of_the_run(tmp_path, small_config, id):
    bred = create_run(tmp_path / "run", small_config)
    for file in (bred.image("0001", id, "ja", 0), bred.report_image("child", id, "ja"), bred.image(id, "x", "ja", 0)):
        folder = bred.folder / ("report" if "report" in file.parts else "images")
        assert file.resolve().is_relative_to(folder.resolve())
        assert len(file.relative_to(folder).parts) == 2


SECRET = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


@pytest.mark.parametrize("read", [read_rows, load_prompts, load_config, load_recipe, sources_in, read_json])
@pytest.mark.parametrize("name", ["x", "x.csv", "x.yaml", "x.json"])
@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        f"HOME=/root\0TOKEN={SECRET}\0",
        f"user,token\nme,{SECRET}\n",
        f"token,ja\n'{SECRET}",
        f"a: [{SECRET}\n: %{SECRET}",
        f"token: *{SECRET}",
        f"token: !{SECRET} 1",
        f"format: {SECRET}\nversion: {SECRET}",
        json.dumps({"format": SECRET, "sources": SECRET}),
        f"{{'{SECRET}",
        f"format: m2n2-prompts\nversion: 1\nname: x\nprompts: {{a: {SECRET}}}\n",
        b"\xff\xfe" + SECRET.encode(),
    ],
)
def test_no_error_quotes_what_a_file_holds(tmp_path, read, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = ""
    try:
        read(path)
    except M2N2Error as error:
        said = str(error)
    assert "hf_" not in said


def test_a_scorers_configuration_is_not_quoted(scorer):
    for content in (b"\xff" + SECRET.encode(), SECRET.encode(), json.dumps({"model_cfg": SECRET}).encode()):
        (scorer / "open_clip_config.json").write_bytes(content)
        with pytest.raises(ScorerError) as caught:
            ClipScorer(f"local-dir:{scorer}")
        assert SECRET not in str(caught.value)
