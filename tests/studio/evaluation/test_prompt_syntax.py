"""A run that reads prompts as A1111 does: drawn with weights, scored by words, and the same wherever it goes on."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from eval.prompts.prompt_set import load_prompts, to_yaml
from pipelines.generation.live_pipeline import PictureRequest
from studio.breeding.initial_population import source_recipes
from studio.cli.app import app
from studio.evaluation.evaluator import DrawingConditions, Evaluator, check_captions, scored_short
from studio.evaluation.open_scorer import open_scorer
from studio.evaluation.preview import Previewer
from studio.evaluation.score_model import score_model
from studio.execution.control import carry_out
from studio.execution.creation import create_run
from studio.exporting.export_plan import plan_export
from studio.exporting.registry import open_export
from studio.library.model_reference import open_recipe_sources, syntax_of_model
from studio.monitoring.remeasure import measure
from studio.png_metadata import generation_data
from studio.runs.config import RunConfig
from studio.runs.inputs import open_run_sources
from studio.runs.noise import Noise, noise_seed
from studio.runs.store import open_run
from studio.ui.compare.cells import ask
from studio.ui.new_run.form import form_of
from tests.conftest import python, stop_with, without_report
from tests.studio.conftest import archive_of

LONG = "犬 " * 20  # more tokens than the embedded encoders read at once


@pytest.fixture(scope="module")
def tags(fewer_prompts, tmp_path_factory):
    """Two prompts with weights, breaks, and more tokens than are read at once; and the same in words alone."""
    prompts = load_prompts(fewer_prompts).subset(2)
    changed = [
        one.model_copy(update={"ja": f"({one.ja}:1.5) BREAK {LONG.strip()}", "en": f"[{one.en}], (dog)"})
        for one in prompts.prompts
    ]
    words = [
        one.model_copy(update={"ja": f"{one.ja} {LONG.strip()}", "en": f"{one.en}, dog"}) for one in prompts.prompts
    ]
    folder = tmp_path_factory.mktemp("tags")
    for name, rows in (("tags", changed), ("words", words)):
        (folder / f"{name}.yaml").write_text(
            to_yaml(prompts.model_copy(update={"name": name, "prompts": tuple(rows)})), "utf-8"
        )
    return folder


@pytest.fixture(scope="module")
def config(pair_config, tags):
    changes = {"prompts": str(tags / "tags.yaml"), "held_out": str(tags / "tags.yaml"), "prompt_syntax": "a1111"}
    return pair_config.changed({**changes, "evaluations": 1, "compete": ["ja", "en"]})


@pytest.fixture(scope="module")
def bred_with_tags(config, tmp_path_factory):
    store = create_run(tmp_path_factory.mktemp("runs") / "tags", config)
    carry_out(store)
    return store


@pytest.fixture(scope="module")
def evaluator(config):
    sources = open_run_sources(config)
    recipe = source_recipes(config, sources)["ja"]
    return Evaluator(recipe, sources, settings=config.pictures, scorer_bytes=0), recipe


def test_old_run_files_are_plain(small_config):
    fields = small_config.model_dump(mode="json")
    assert fields.pop("prompt_syntax") == "plain"
    assert RunConfig.model_validate(fields) == small_config


def test_pictures_are_drawn_with_weights_and_scored_by_words(config, tags, evaluator):
    drawer, recipe = evaluator
    scorer = open_scorer(config.scorer)
    prompts, words = (load_prompts(tags / f"{name}.yaml") for name in ("tags", "words"))
    conditions = DrawingConditions(config.pictures, Noise(1), config.prompt_syntax)
    drawn = drawer.draw(recipe, prompts, "ja", conditions)
    plain = drawer.draw(recipe, prompts, "ja", DrawingConditions(config.pictures, Noise(1)))
    assert all((np.asarray(one.image) != np.asarray(two.image)).any() for one, two in zip(drawn, plain, strict=True))
    assert [one.request.caption for one in drawn] == words.captions_in("ja")
    scores = drawer.score(drawn, scorer, conditions).scores
    asked_by_hand = scorer.text_features(words.captions_in("ja"))
    seen = scorer.image_features([one.image for one in drawn])
    assert scores[:, 0] == pytest.approx(np.clip((seen * asked_by_hand).sum(1), 0, 1), abs=1e-6)


def test_only_plain_captions_are_cut_by_what_draws(config, tags, evaluator):
    drawer, _ = evaluator
    scorer = open_scorer(config.scorer)
    prompts = load_prompts(tags / "tags.yaml")
    assert set(prompts.captions_in("ja")) <= set(check_captions(prompts, scorer, drawer.pipeline, "plain"))
    cut = set(check_captions(prompts, scorer, drawer.pipeline, "a1111"))
    words = dict(zip(prompts.captions_in("ja"), load_prompts(tags / "words.yaml").captions_in("ja"), strict=True))
    assert cut == {caption for caption, text in words.items() if scorer.truncated([text])}
    assert scored_short(lambda texts: [text for text in texts if text == "a b"], ["(a:2) b", "a b"], "a1111") == [
        "(a:2) b",
        "a b",
    ]


def test_files_and_reports_say_how_prompts_were_read(bred_with_tags, bred):
    first = bred_with_tags.prompts.niches.prompts[0]
    said = generation_data(bred_with_tags.image("0001", first.id, "ja", 0))
    assert (said["prompt"], said["prompt_syntax"]) == (first.ja, "a1111")
    plain = bred.prompts.niches.prompts[0]
    assert "prompt_syntax" not in generation_data(bred.image("ja", plain.id, "ja", 0))


def test_a_stopped_run_goes_on_as_it_began(config, bred_with_tags, tmp_path):
    store = create_run(tmp_path / "stopped", config)
    carry_out(store, stop_with(2))
    assert store.state.status == "stopped"
    store.close()
    again = open_run(tmp_path / "stopped")
    assert again.config.prompt_syntax == "a1111"
    carry_out(again, without_report)
    assert archive_of(again)[:-2] == archive_of(bred_with_tags)[:-2]  # all individuals; the report is drawn once
    again.close()


def test_the_form_keeps_it_and_compare_draws_it(config, bred_with_tags):
    assert form_of(config).prompt_syntax == "a1111"
    assert form_of(config, fork=bred_with_tags.folder).config().prompt_syntax == "a1111"
    first = bred_with_tags.prompts.niches.prompts[0]
    asked = ask(bred_with_tags.config, [first.id], "", "", noises=1)
    place = next(asked.places(0))
    request = asked.request(place)
    assert request == PictureRequest(first.ja, noise_seed(first.id, 0), "a1111")
    recipe = bred_with_tags.individual("0001").recipe
    drawn = Previewer().draw(recipe, open_recipe_sources(recipe), [request], asked.settings)[0]
    kept = Image.open(bred_with_tags.image("0001", first.id, "ja", 0))
    assert np.abs(np.asarray(drawn, float) - np.asarray(kept, float)).max() <= 2  # drawn in a batch
    assert asked.syntax == "a1111"


@pytest.mark.slow
def test_an_export_is_measured_and_drawn_as_it_was_bred(bred_with_tags, tmp_path):
    written = plan_export(bred_with_tags, "0001", tmp_path / "sumi").write()
    export = open_export(written.path)
    assert json.loads((written.path / "birth.json").read_text())["prompt_syntax"] == "a1111"
    measured = measure(export)
    born = export.certificate.scores
    assert {kind: np.asarray(rows) for kind, rows in measured["scores"].items()}.keys() == born.keys()
    for kind, rows in born.items():
        assert np.asarray(measured["scores"][kind]) == pytest.approx(np.asarray(rows), abs=1e-4)
    code = (written.path / "README.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    picture = tmp_path / "picture.png"
    code = code.replace('"picture.png"', json.dumps(str(picture)))
    (tmp_path / "draw.py").write_text(f"import os; os.chdir({str(tmp_path)!r})\n{code}", "utf-8")
    done = python(tmp_path / "draw.py")
    assert done.returncode == 0, done.stderr
    first, recipe = bred_with_tags.prompts.niches.prompts[0], bred_with_tags.individual("0001").recipe
    request = PictureRequest(first.ja, noise_seed(first.id, 0), "a1111")
    shown = Previewer().draw(recipe, open_recipe_sources(recipe), [request], bred_with_tags.config.pictures)[0]
    assert (np.asarray(Image.open(picture)) == np.asarray(shown)).all()


def test_score_reads_prompts_as_the_run_does(bred_with_tags, bred, tags):
    model = f"{bred_with_tags.folder}:0001"
    assert (syntax_of_model(model), syntax_of_model(f"{bred.folder}:0001"), syntax_of_model("x")) == (
        "a1111",
        "plain",
        "plain",
    )
    found = score_model(model, tags / "tags.yaml", None, "en", pictures="draft")
    plain = score_model(model, tags / "tags.yaml", None, "en", pictures="draft", syntax="plain")
    assert found["prompt_syntax"] == "a1111"
    assert "prompt_syntax" not in plain
    assert found["scores"] != plain["scores"]


def test_check_names_what_would_be_drawn_as_letters(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("id,ja,en\n1,(猫:1.2),a [cat:dog:0.5]\n2,犬,dog\n", "utf-8")

    def check(*options):
        done = CliRunner().invoke(app, ["prompts", "check", str(file), *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    said = check().splitlines()
    assert "drawn as letters: 1 (ja): (猫:1.2)" in said
    assert "drawn as letters: 1 (en): [cat:dog:0.5]" in said
    assert said[-1] == "a run reads these as A1111 does with prompt_syntax: a1111"
    said = check("--prompt-syntax", "a1111").splitlines()
    assert said[-1] == "not read as in A1111: 1 (en): [cat:dog:0.5]"
    assert json.loads(check("--json"))["unread"] == [
        {"id": "1", "language": "ja", "syntax": ["(猫:1.2)"]},
        {"id": "1", "language": "en", "syntax": ["[cat:dog:0.5]"]},
    ]
