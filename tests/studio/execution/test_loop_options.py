"""What a run may be asked: what is refused, options that survive a stop, early rejection."""

import numpy as np
import pytest
import yaml

import assets
from eval.errors import PromptSetError
from pipelines.errors import RecipeError, SourceError
from studio.errors import ConfigError, RunError
from studio.evaluation.evaluator import Evaluator, PictureScores
from studio.execution import control
from studio.execution.creation import create_run
from studio.runs.config import checked, embedded
from studio.runs.config_file import load_config
from studio.runs.store import open_run
from studio.runs.summary import run_json
from tests.conftest import stop_with, without_report
from tests.studio.conftest import archive_of


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({"archive": 3}, ConfigError, "expected room for the 4 sources"),
        ({"colour": 1}, ConfigError, "colour: unknown key"),
        ({"evaluations": -1}, ConfigError, "evaluations"),
        ({"racing": 0.05, "breeding": {"min_distance": 0.1}}, ConfigError, "racing does not reckon with min_distance"),
        ({"early_rejection": True, "breeding": {"min_distance": 0.1}}, ConfigError, "early_rejection does not reckon"),
        ({"breeding": {"foresight": 0.75, "min_distance": 0.1}}, ConfigError, "foresight does not reckon"),
        ({"breeding": {"guided": True, "min_distance": 0.1}}, ConfigError, "guided does not reckon"),
        ({"breeding": {"min_distance": 1.1}}, ConfigError, "at breeding.min_distance: .* less than or equal to 1"),
        ({"alpha": 11}, ConfigError, "at alpha: Input should be less than or equal to 10"),
        ({"host": {"vae": "ja"}}, ConfigError, "expected a source for 'default'"),
        ({"chromosomes": {"rest": ["*"]}}, ConfigError, "gives patterns for rest; expected a name of your own"),
        ({"frozen": {"attention": "ja", "backbone": "ja"}}, ConfigError, "expected one at least to breed"),
        ({"frozen": {"lens": "ja"}}, ConfigError, "frozen names lens; expected one of attention, backbone"),
        ({"host": {"default": "ja", "lens": "ja"}}, ConfigError, "host names lens; expected default, unet, "),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, error, expected):
    with pytest.raises(error, match=expected):
        embedded(**changes)


def test_refused_before_anything_is_made(tmp_path, small_config):
    empty = tmp_path / "empty.yaml"
    empty.write_text("format: m2n2-prompts\nversion: 1\nname: none\nprompts: []\n")
    with pytest.raises(PromptSetError, match="at least one prompt"):
        create_run(tmp_path / "run", small_config.model_copy(update={"prompts": str(empty)}))
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="holds no run"):
        open_run(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        create_run(tmp_path / "full", small_config)


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({"host": {"default": "nobody"}}, ConfigError, "host 'nobody' is not among the sources"),
        ({"sources": [str(assets.FAMILY / "ja"), "nowhere"]}, SourceError, "nowhere"),
        ({"breeding": {"merges": True, "task_arithmetic": "sd"}}, ConfigError, "'sd'. Expected one of the sources"),
        ({"frozen": {"attention": "sd"}}, ConfigError, "takes attention from 'sd'. Expected one of base, ja"),
        ({"chromosomes": {"lens": ["*.lens.*"]}}, RecipeError, "takes no tensor"),
        ({"fitness": {"image": 1.0}}, PromptSetError, "reference picture"),
    ],
)
def test_what_does_not_go_together_leaves_no_folder_behind(tmp_path, small_config, changes, error, expected):
    with pytest.raises(error, match=expected):
        create_run(tmp_path / "run", checked({**small_config.model_dump(), **changes}))
    assert not (tmp_path / "run").exists()


def test_paths_in_a_run_file_are_relative_to_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "fast.safetensors").touch()
    content = {
        "sources": [str(assets.FAMILY / "ja"), str(assets.FAMILY / "base")],
        "host": {"default": "ja"},
        "prompts": "mine/evolve.yaml",
        "held_out": "~/held_out.yaml",
        "start": "../former",
        "pictures": {"steps": 4, "guidance": 0, "speed": "lightning", "speed_lora": "fast.safetensors"},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    config = load_config(tmp_path / "run.yaml")
    assert config.prompts == str(tmp_path / "mine" / "evolve.yaml")
    assert config.held_out == str(tmp_path / "home" / "held_out.yaml")
    assert config.start == str(tmp_path / ".." / "former")
    assert config.pictures.speed_lora == str(tmp_path / "fast.safetensors")
    content["pictures"]["speed_lora"] = "somebody/loras/fast.safetensors"  # on the hub
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    assert load_config(tmp_path / "run.yaml").pictures.speed_lora == "somebody/loras/fast.safetensors"


EVERY_OPTION = {
    "compete": ["ja", "en"],
    "fitness": {"text": 1.0, "image": 3.0},
    "noise_rotation": 2,
    "breeding": {
        "compatibility": 1.0,
        "split_points": 2,
        "guided": True,
        "beta": 2.0,
        "one_ratio": True,
        "warm_up": 2,
        "merges": True,
    },
    "evaluations": 5,  # one merge made by hand, one of the warm-up, three that were bred
}


@pytest.fixture(scope="module")
def with_references(tmp_path_factory):
    """The first prompt of each category, with its reference picture."""
    content = yaml.safe_load(assets.EVOLVE.read_text("utf-8"))
    by_category = {prompt["category"]: prompt for prompt in reversed(content["prompts"])}
    content["prompts"] = [
        {**prompt, "reference": str(assets.EVOLVE.parent / prompt["reference"])} for prompt in by_category.values()
    ]
    path = tmp_path_factory.mktemp("prompts") / "with_references.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


@pytest.fixture(scope="module")
def two_with_references(with_references):
    """Two of them: every option and a report on everyone draw each many times."""
    content = yaml.safe_load(with_references.read_text("utf-8"))
    path = with_references.with_name("two_with_references.yaml")
    path.write_text(yaml.safe_dump({**content, "prompts": content["prompts"][:2]}, allow_unicode=True), "utf-8")
    return path


def test_options_survive_a_stop(pair_config, two_with_references, tmp_path):
    prompts = {"prompts": str(two_with_references), "held_out": str(two_with_references)}
    config = checked({**pair_config.model_dump(), **EVERY_OPTION, **prompts})
    whole, stopped = create_run(tmp_path / "whole", config), create_run(tmp_path / "stopped", config)
    control.carry_out(whole)

    control.carry_out(stopped, stop_with(5))
    assert len(stopped.individuals()) == 5
    control.carry_out(stopped)
    assert archive_of(stopped) == archive_of(whole)
    everyone = whole.individuals()
    assert len(everyone) == 2 + 5
    assert set(whole.state.realism) == {"base", "ja", "average", "child"}
    assert [(one.mother, one.father) for one in everyone[2:3]] == [("base", "ja")]
    assert all({"ja", "en"} <= set(one.scores) for one in everyone)
    assert whole.state.rotation == 2  # the second and the fourth offspring were followed by other noise


def test_a_raced_run_that_is_stopped_goes_on_bit_for_bit_and_says_what_it_spared(small_config, tmp_path):
    """Whoever has a chance of less than nine in ten is given up, so that there are some among so few."""
    asked = {
        "pictures": {"steps": 1, "batch": 2},
        "evaluations": 12,
        "archive": 4,
        "seed": 3,
        "racing": 0.9,
        "breeding": {"foresight": 0.5, "nudges": True},
    }
    fields = checked({**small_config.model_dump(), **asked})
    whole, stopped = (create_run(tmp_path / name, fields) for name in ("whole", "stopped"))
    control.carry_out(whole, without_report)
    for count in (7, 11, 14):
        control.carry_out(stopped, stop_with(count))
        assert len(stopped.individuals()) == count
    control.carry_out(stopped, without_report)
    assert archive_of(stopped) == archive_of(whole)
    for one, other in zip(stopped.individuals(), whole.individuals(), strict=True):
        assert (one.id, one.race, one.recipe) == (other.id, other.race, other.recipe)
        assert (one.partial is None) == (other.partial is None)
        if one.partial:
            assert one.partial.values.tobytes() == other.partial.values.tobytes()
            assert one.race.drawn == 2
            assert not one.entered
    found = run_json(whole)
    given_up = [one for one in whole.individuals() if one.partial]
    assert given_up
    assert found["racing"]["given_up"] == len(given_up)
    assert found["racing"]["spared"] == found["pictures_spared"] == 3 * len(given_up)


def test_early_rejection_changes_nothing_but_the_work(small_config, with_references, tmp_path, monkeypatch):
    """With scores as far apart as those of a judge who says yes or no: cosines are too near each other to be sure."""
    score = Evaluator.score

    def yes_or_no(self, drawn, *rest):
        judged = score(self, drawn, *rest)
        return PictureScores((judged.scores > 0.25).astype(float), judged.features)

    monkeypatch.setattr(Evaluator, "score", yes_or_no)
    asked = {
        "pictures": {"steps": 2, "batch": 2},
        "evaluations": 8,
        "archive": 4,
        "seed": 4,
        "prompts": str(with_references),
    }
    fields = {**small_config.model_dump(), **asked}
    early = create_run(tmp_path / "early", checked({**fields, "early_rejection": True}))
    full = create_run(tmp_path / "full", checked(fields))

    control.carry_out(early, without_report)
    control.carry_out(full, without_report)
    seen, expected = ({one.id: one for one in store.individuals()} for store in (early, full))
    assert early.state.search == full.state.search
    for id, one in seen.items():
        assert (one.alive, one.entered, one.recipe) == (expected[id].alive, expected[id].entered, expected[id].recipe)
        if one.partial:
            drawn = ~np.isnan(one.partial.values)
            assert not one.entered
            assert not one.scores
            assert (one.partial.values[drawn] == expected[id].scores["ja"][drawn]).all()
        else:
            assert one.scores["ja"].tobytes() == expected[id].scores["ja"].tobytes()
    assert any(one.partial for one in seen.values())
    assert run_json(early)["pictures_spared"] == sum(
        int(np.isnan(one.partial.values).sum()) for one in seen.values() if one.partial
    )
