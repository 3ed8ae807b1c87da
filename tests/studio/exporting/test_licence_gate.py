"""Weights are written where licences let them be, or where somebody states why they may: on every way there is."""

import ast
import json
import shutil
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import assets
from pipelines.checkpoints.sources import open_network, open_source
from pipelines.exporting.provenance import embedded_recipe
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.recipes.statement import LicenceStatement
from studio.errors import LicenceError
from studio.exporting import export_plan, hub_upload
from studio.exporting.certificate import load_certificate
from studio.exporting.recipe_package import RecipePackage
from studio.i18n import LANGUAGES
from studio.licences import catalogue
from studio.runs.config_file import configured
from studio.runs.store import now
from studio.ui.common.studio import Studio
from studio.ui.new_run.beginning import cost
from studio.ui.new_run.form import form_of
from tests.floors import ROOT, modules
from tests.networks import LEFT, RIGHT, network

REASON = ("--licence-reason", "both authors agreed in writing", "--stated-by", "美咲")


@pytest.fixture
def licensed(tmp_path):
    """Gives a copy of an embedded source under another licence."""

    def copy(name, licence):
        folder = shutil.copytree(assets.FAMILY / name, tmp_path / "sources" / name, ignore=lambda *_: ["previews"])
        (folder / "README.md").write_text(f"---\nlicense: {licence}\nauthor: {name} のひと\n---\n", "utf-8")
        (folder / "LICENSE").unlink()
        return folder

    return copy


@pytest.fixture
def clashing(licensed, m2n2, tmp_path):
    """A recipe over two sources that each want merges to bear their own licence."""
    path = tmp_path / "half.json"
    done = m2n2("recipe", "blend", licensed("ja", "cc-by-sa-4.0"), licensed("flat", "faipl-1.0-sd"), "--out", path)
    assert done.returncode == 0
    assert done.stdout == f"{path}\n"
    assert "ja (cc-by-sa-4.0) and flat (faipl-1.0-sd): each wants the merge to bear its own licence" in done.stderr
    return path


@pytest.mark.parametrize("name", ["half", "half.safetensors"])
def test_the_command_line_writes_no_weights_without_a_reason(clashing, m2n2, tmp_path, name):
    done = m2n2("merge", clashing, "--out", tmp_path / "out" / name)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: The weights of half are not written, because of licences: ja (cc-by-sa-4.0)")
    assert "--licence-reason" in done.stderr
    assert not (tmp_path / "out").exists()
    for bad in (("--licence-reason", "  "), ("--licence-reason", "x" * 2001)):
        assert m2n2("merge", clashing, "--out", tmp_path / "out" / name, *bad).returncode == 2


def test_a_reason_goes_into_recipe_card_notice_and_header(clashing, m2n2, tmp_path):
    done = m2n2("merge", clashing, "--out", tmp_path / "half.safetensors", *REASON)
    assert done.returncode == 0, done.stderr
    about = tmp_path / "half.about"
    for recipe in (load_recipe(about / "recipe.json"), embedded_recipe(tmp_path / "half.safetensors")):
        statement = recipe.licence_statement
        assert (statement.reason, statement.who) == ("both authors agreed in writing", "美咲")
        assert len(statement.about) == 1
        assert (now() - statement.when).total_seconds() < 3600
    for paper in ("README.md", "LICENSE.md"):
        text = (about / paper).read_text("utf-8")
        assert f"> 美咲 stated on {statement.when:%Y-%m-%d}" in text
        assert "both authors agreed in writing" in text
        assert "ja by ja のひと, licensed under [cc-by-sa-4.0]" in text
        assert (
            "| together | on conditions | allowed | not allowed | on conditions | not allowed | on conditions |" in text
        )
        assert "no legal advice" in text
    again = m2n2("merge", about / "recipe.json", "--out", tmp_path / "again")  # a statement is for one export
    assert again.returncode == 1


def test_the_recipe_alone_is_free(clashing, m2n2, tmp_path):
    done, told = m2n2("merge", clashing, "--out", tmp_path / "half.recipe.zip", "--json", json_output=True)
    assert done.returncode == 0
    assert told["path"] == str(tmp_path / "half.recipe.zip")
    with zipfile.ZipFile(tmp_path / "half.recipe.zip") as packed:
        assert {"recipe.json", "rebuild.py"} <= set(packed.namelist())
        assert "m2n2 merge recipe.json --out half" in packed.read("README.md").decode()
        assert "each wants the merge to bear its own licence" in packed.read("README.md").decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.json", "half.recipe.zip", "sources"]


@pytest.mark.parametrize(
    ("licence", "weights", "host", "barred"),
    [
        ("cc-by-nd-4.0", [0.5, 0.5], "ja", True),
        ("cc-by-nd-4.0", [1.0, 0.0], "ja", False),  # weight 0 does not bind
        ("cc-by-nd-4.0", [1.0, 0.0], "flat", True),  # but lending the VAE and the text encoders does
        ("cc-by-nd-4.0", [0.0, 1.0], "flat", False),  # one source as it is may be passed on
        ("cc-by-nd-4.0", [0.0, 0.9], "flat", True),  # changed, it may not
        ("cc-by-nc-4.0", [0.5, 0.5], "ja", False),
        ("our-house-rules", [0.5, 0.5], "ja", False),  # not known: warned of, and nobody can say that it forbids
    ],
)
def test_what_binds_is_what_carries_weight_or_lends(licensed, tmp_path, licence, weights, host, barred):
    sources = {"ja": open_source(assets.FAMILY / "ja"), "flat": open_source(licensed("flat", licence))}
    recipe = blend(list(sources.values()), {"attention": weights, "backbone": weights}, host={"default": host})
    planned = export_plan.plan_recipe_export(recipe, sources, tmp_path / "out")
    assert bool(planned.clashes) == barred
    if barred:
        with pytest.raises(LicenceError, match="does not let changed versions be shared"):
            planned.write()
        assert not (tmp_path / "out").exists()


def test_a_lora_binds_as_a_source_does(licensed, tmp_path):
    ja = open_source(licensed("ja", "cc-by-sa-4.0"))

    save_file({"x": torch.zeros(1)}, tmp_path / "line.safetensors", metadata={"modelspec.license": "faipl-1.0-sd"})
    ja = type(ja)(ja.path, "ja", ja.contents, uri=f"{ja.path} + 0.5 * {tmp_path / 'line.safetensors'}")
    recipe = blend([ja], {"attention": [1.0], "backbone": [1.0]}, host={"default": "ja"})
    (clash,) = export_plan.plan_recipe_export(recipe, {"ja": ja}, tmp_path / "out").clashes
    assert clash.models == ("ja", "ja + line")


def test_the_hub_gets_no_weights_without_a_reason(family, one_hot, licensed, tmp_path):
    sources = {"ja": open_source(licensed("ja", "cc-by-sa-4.0")), "flat": open_source(licensed("flat", "faipl-1.0-sd"))}
    weights = {"attention": [0.5, 0.5], "backbone": [0.5, 0.5]}
    recipe = blend(list(sources.values()), weights, host={"default": "ja"}, name="half")
    stated = LicenceStatement(reason="agreed", who="Aya", when=now())
    written = export_plan.plan_recipe_export(recipe, sources, tmp_path / "half", statement=stated).write()
    assert written.asks_for_recipe
    bare = written.recipe.model_copy(update={"licence_statement": None})
    with pytest.raises(LicenceError):
        hub_upload.push_export(type(written)(written.path, 0, {}, written.inherited, bare), "owner/half", api=object())
    package = RecipePackage(
        export_plan.plan_recipe_export(recipe, sources, tmp_path / "x"), tmp_path / "x.recipe.zip"
    ).write()
    assert {one.path_in_repo for one in hub_upload._operations(package)} >= {"recipe.json", "README.md", "LICENSE.md"}


def test_networks_of_any_kind_are_bound_too(m2n2, tmp_path):
    left, right = network(tmp_path / "left", LEFT), network(tmp_path / "right", RIGHT)
    (left / "README.md").write_text("---\nlicense: cc-by-nd-4.0\n---\n")
    (left / "config.json").write_text(json.dumps({"model_type": "tiny", "_name_or_path": str(tmp_path / "left")}))
    (right / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "run.yaml").write_text(
        f"kind: any\nsources: [{left}, {right}]\nscorer: score.py:score\nevaluations: 1\narchive: 3\n"
    )
    (tmp_path / "score.py").write_text("def score(model):\n    return [0.5, 0.5]\n")
    recipe = blend([open_network(left), open_network(right)], {"rest": [0.5, 0.5]}, host={"default": "left"})
    recipe.save(tmp_path / "half.json")
    refused = m2n2("merge", tmp_path / "half.json", "--out", tmp_path / "half")
    assert refused.returncode == 1
    assert "left: cc-by-nd-4.0 does not let changed versions be shared" in refused.stderr
    assert not (tmp_path / "half").exists()
    done = m2n2("merge", tmp_path / "half.json", "--out", tmp_path / "half", *REASON)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "half" / "recipe.json").read_text("utf-8")
    assert json.loads(written)["licence_statement"]["who"] == "美咲"
    assert str(tmp_path) not in written
    assert str(tmp_path) not in (tmp_path / "half" / "config.json").read_text("utf-8")
    again = m2n2("merge", tmp_path / "half" / "recipe.json", "--out", tmp_path / "again", *REASON)
    assert again.returncode == 0, again.stderr  # this machine knows where the sources lie


def test_sources_licences_says_what_a_merge_may(licensed, m2n2):
    paths = licensed("ja", "cc-by-sa-4.0"), licensed("flat", "openrail++"), assets.FAMILY / "real"
    done, told = m2n2("sources", "licences", *paths, "--json", json_output=True)
    assert done.returncode == 0
    assert [(one["name"], one["licences"]) for one in told["sources"]] == [
        ("ja", ["cc-by-sa-4.0"]),
        ("flat", ["openrail++"]),
        ("real", ["mit"]),
    ]
    assert told["sources"][0]["author"] == "ja のひと"
    assert told["together"] == {
        "use": "condition",
        "commercial_use": "allowed",
        "without_credit": "forbidden",
        "sharing_merges": "condition",
        "other_terms": "forbidden",
        "pictures_and_service": "allowed",
    }
    (clash,) = told["clashes"]
    assert clash.endswith("with nothing added, and the second adds use restrictions.")
    shown = m2n2("sources", "licences", *paths)
    assert shown.returncode == 0
    assert "no legal advice" in shown.stdout
    assert "the second adds use restrictions" in " ".join(shown.stderr.split())


def test_clashes_are_told_before_a_run(licensed, few_prompts, fewer_prompts, m2n2, tmp_path):
    run = tmp_path / "run.yaml"
    folders = [str(licensed("ja", "cc-by-sa-4.0")), str(licensed("flat", "faipl-1.0-sd"))]
    run.write_text(
        f"sources: {json.dumps(folders)}\nhost: {{default: ja}}\nprompts: {few_prompts}\nheld_out: {fewer_prompts}\n"
        f"scorer: local-dir:{assets.JUDGE}\nreporter: local-dir:{assets.JURY}\n"
    )
    done = m2n2("evolve", run, "--preflight")
    assert done.returncode == 0, done.stderr
    assert "each wants the merge to bear its own licence" in done.stderr
    assert "takes a reason" in done.stderr
    config = configured(run, {}, None)
    desk = Studio(tmp_path / "desk", allowed=(few_prompts.parents[1], tmp_path.parent))
    for lang in LANGUAGES:
        assert "cc-by-sa-4.0" in cost(desk, lang, form_of(config))


def test_an_individual_of_a_run_is_bound_too(bred, m2n2, tmp_path, monkeypatch):
    forbids = replace(catalogue.KNOWN_LICENCES["cc-by-nd-4.0"], name="apache-2.0")
    monkeypatch.setitem(catalogue.KNOWN_LICENCES, "apache-2.0", forbids)
    refused = m2n2("export", bred.folder, "0001", "--out", tmp_path / "momiji")
    assert refused.returncode == 1
    assert "apache-2.0 does not let changed versions be shared" in refused.stderr
    done = m2n2("export", bred.folder, "0001", "--out", tmp_path / "momiji", *REASON)
    assert done.returncode == 0, done.stderr
    certificate = load_certificate(tmp_path / "momiji" / "birth.json")
    assert certificate.licence_statement == load_recipe(tmp_path / "momiji" / "recipe.json").licence_statement
    assert certificate.licence_statement.reason == "both authors agreed in writing"


WRITERS = {"export_folder", "export_file", "export_lora", "export_network", "weave_file"}
GATED = {
    "studio/exporting/export_plan.py",
    "studio/exporting/lora_plan.py",
    "studio/exporting/network_export.py",
    "studio/exporting/woven_source.py",
}


def test_nothing_else_in_the_studio_writes_weights():
    found = set()
    for path in modules("studio"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = node.name if isinstance(node, ast.alias) else getattr(node, "attr", None)
            if name in WRITERS:
                found.add(path.relative_to(ROOT).as_posix())
    assert found == GATED
    assert all("check_licences(" in (ROOT / name).read_text("utf-8") for name in GATED)
