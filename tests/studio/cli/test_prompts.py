"""`m2n2 prompts import-stair` on a small set in STAIR's form, from the files to a score."""

import json

import pytest
import typer
from typer.testing import CliRunner

import assets
from eval.errors import PromptSetError
from eval.prompts.prompt_set import load_prompts
from studio.cli.prompts import prompts_app
from studio.evaluation.score_model import score_model
from tests.stair_files import write_stair

app = typer.Typer()
app.add_typer(prompts_app, name="prompts")


@pytest.fixture
def files(tmp_path):
    return write_stair(tmp_path / "coco", 8)


@pytest.fixture
def imported(files, tmp_path):
    """Runs the command on the files; gives its result."""

    def run(*options):
        arguments = ["prompts", "import-stair", files.captions, "--pictures", files.pictures, "--out", tmp_path / "out"]
        return CliRunner().invoke(app, [str(one) for one in (*arguments, *options)])

    return run


def test_three_sets_are_written_and_named(files, imported, tmp_path):
    done = imported("--english", files.english, "--evolve", 2, "--held-out", 5, "--pairs", 2)
    assert (done.exit_code, done.stderr) == (0, "")
    paths = [tmp_path / "out" / f"{name}.yaml" for name in ("evolve", "held_out", "pairs")]
    assert done.stdout.splitlines() == [str(path) for path in paths]
    evolve, held_out, pairs = map(load_prompts, paths)
    assert evolve.captions_in("ja") == ["写真6", "写真7"]
    assert held_out.captions_in("en")[0] == "photograph 0"
    assert set(pairs.ids) < set(held_out.ids)
    assert len(held_out.references(tmp_path / "out")) == 5


def test_json_says_what_was_written_and_without_english_what_is_missing(imported, tmp_path):
    done = imported("--evolve", 2, "--held-out", 5, "--pairs", 0, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "languages": ["ja"],
        "sets": {
            "evolve": {"path": str(tmp_path / "out" / "evolve.yaml"), "prompts": 2},
            "held_out": {"path": str(tmp_path / "out" / "held_out.yaml"), "prompts": 5},
        },
    }
    assert "Japanese captions only" in done.stderr
    assert "captions_val2014.json with --english" in done.stderr
    assert not (tmp_path / "out" / "pairs.yaml").exists()


def test_the_papers_numbers_are_the_defaults_and_nothing_is_written_where_they_do_not_fit(imported, tmp_path):
    done = imported()
    assert done.exit_code == 1
    assert isinstance(done.exception, PromptSetError)
    assert "expected 12000 pictures, 2000 to evolve on and 10000 others to hold out, found 8" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_pairs_give_the_cross_lingual_consistency_of_a_model(files, imported, tmp_path):
    imported("--english", files.english, "--evolve", 2, "--held-out", 5, "--pairs", 2)
    scored = score_model(str(assets.FAMILY / "ja"), tmp_path / "out" / "pairs.yaml", None, "both", pictures="draft")
    assert set(scored["scores"]) == {"ja", "en", "consistency"}
    assert len(scored["per_prompt"]["consistency"]) == 2
    assert 0 < scored["scores"]["consistency"]["mean"] <= 1


def test_a_table_is_checked(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(f"id,ja,en\n1,猫,cat\n2,{'とても長い題材' * 10},dog\n3,ﾈｺ,\n4,ネコ,cat\n", "utf-8")
    done = CliRunner().invoke(app, ["prompts", "check", str(file)])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "4 prompts"
    assert "no en caption: 3" in lines
    assert "the same ja caption, ネコ: 3, 4" in lines
    assert "the same en caption, cat: 1, 4" in lines
    assert lines[-1].startswith("cut short: 2 (ja) とても")
    assert "judge takes " in lines[-1]
    told = json.loads(CliRunner().invoke(app, ["prompts", "check", str(file), "--json"]).stdout)
    assert told["lacks"] == {"ja": [], "en": ["3"]}
    assert [one["id"] for one in told["cut"]] == ["2"]
    assert set(told["limits"]) == {"judge", "ja tokenizer", "ja tokenizer_2"}


def test_a_set_is_split_and_its_pictures_are_still_found(tmp_path):
    done = CliRunner().invoke(
        app, ["prompts", "split", str(assets.EVOLVE), "--out", str(tmp_path), "--held-out", "0.4"]
    )
    assert done.exit_code == 0, done.output
    evolve, held_out = map(load_prompts, done.stdout.split())
    assert (len(evolve), len(held_out)) == (39, 26)
    assert not set(evolve.ids) & set(held_out.ids)
    assert len(evolve.references(tmp_path)) == 39
    again = CliRunner().invoke(app, ["prompts", "split", str(assets.EVOLVE), "--out", str(tmp_path)])
    assert "exists already" in str(again.exception)
