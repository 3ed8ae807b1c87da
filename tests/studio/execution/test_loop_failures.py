"""What goes wrong in a run costs that one thing: an evaluation, a row of the report, a scorer that is another one."""

import pytest

from pipelines.errors import GenerationError
from pipelines.generation.live_pipeline import LivePipeline
from studio.errors import RunError
from studio.evaluation.evaluator import Evaluator
from studio.execution import control
from studio.execution.creation import create_run
from studio.reports import write_report
from studio.runs.inputs import RunPrompts
from studio.runs.summary import status
from tests.conftest import stop_after, without_report


def test_a_failed_evaluation_is_an_error_and_no_score(pair_config, tmp_path, monkeypatch):
    store = create_run(tmp_path / "run", pair_config.model_copy(update={"evaluations": 2}))
    draw = LivePipeline.generate
    calls = []

    def fail_once(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 6:  # two sources in two languages, and their average, come first
            raise GenerationError("the picture came out with NaN")
        return draw(self, *arguments, **options)

    monkeypatch.setattr(LivePipeline, "generate", fail_once)
    control.carry_out(store, without_report)
    failed, other = store.individual("0001"), store.individual("0002")
    assert failed.error == "the picture came out with NaN"
    assert failed.scores == {}
    assert not failed.alive
    assert other.error is None
    assert other.recipe.lineage != failed.recipe.lineage
    assert status(store)["done"] == 2


def test_a_failed_report_takes_nobody_from_the_archive(pair_config, tmp_path, monkeypatch):
    store = create_run(tmp_path / "run", pair_config.model_copy(update={"evaluations": 2}))
    draw = LivePipeline.generate
    calls = []

    def fail_once(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 7:  # two sources in two languages, their average, the first offspring's Japanese, its English
            raise GenerationError("the picture came out with NaN")
        return draw(self, *arguments, **options)

    monkeypatch.setattr(LivePipeline, "generate", fail_once)
    control.carry_out(store, stop_after(1))
    first = store.individual("0001")
    assert (first.alive, first.entered, set(first.scores)) == (True, True, {"ja"})
    assert first.error == "the picture came out with NaN"
    control.carry_out(store)  # the resumed search finds everyone's scores
    assert status(store)["status"] == "done"


def test_a_run_does_not_go_on_with_another_scorer_under_the_same_name(small_config, tmp_path):
    store = create_run(tmp_path / "run", small_config)
    store.update(scorer={"name": "judge", "sha256": "0" * 64})
    with pytest.raises(
        RunError, match=r"The scorer judge is another one: it was sha256 '0+', now sha256 .* --accept \"WHY\""
    ):
        control.carry_out(store)
    assert store.individuals() == []
    store.close()


def test_a_row_that_cannot_be_drawn_costs_the_report_that_row(pair_config, tmp_path, monkeypatch):
    draw, score, at_once = Evaluator.draw, Evaluator.score, []
    held_out = set(RunPrompts(pair_config).held_out.ids)

    def broken(self, recipe, prompts, *rest):
        if recipe.name in ("average", "base") and set(prompts.ids) <= held_out:
            raise GenerationError("black")
        return draw(self, recipe, prompts, *rest)

    def counted(self, drawn, *rest):
        at_once.append(len(drawn))
        return score(self, drawn, *rest)

    monkeypatch.setattr(Evaluator, "draw", broken)
    monkeypatch.setattr(Evaluator, "score", counted)
    few_at_once = pair_config.pictures.model_copy(update={"batch": 1})
    store = create_run(tmp_path / "run", pair_config.model_copy(update={"evaluations": 1, "pictures": few_at_once}))
    control.carry_out(store)
    assert store.state.status == "done"
    assert store.state.failed_rows == {"average": "black", "base": "black"}
    assert set(store.state.results) == {"ja", "child"}
    assert "child_minus_average" not in store.state.comparisons
    assert set(store.state.comparisons["per_category"]) == {"ja", "child"}
    assert at_once[-2:] == [1, 1]  # a report holds a batch of its pictures at a time, not all of them
    page = write_report(store, "en", tmp_path / "report.html").read_text("utf-8")
    assert "black" in page
    store.close()


def test_no_source_draws_what_reports(pair_config, tmp_path, monkeypatch):
    draw = Evaluator.draw
    held_out = set(RunPrompts(pair_config).held_out.ids)

    def broken(self, recipe, prompts, *rest):
        if set(prompts.ids) <= held_out:
            raise GenerationError("black")
        return draw(self, recipe, prompts, *rest)

    monkeypatch.setattr(Evaluator, "draw", broken)
    store = create_run(tmp_path / "run", pair_config.model_copy(update={"evaluations": 0}))
    with pytest.raises(GenerationError, match=r"No source draws the held-out prompts\. black"):
        control.carry_out(store)
    store.close()


def test_who_cannot_be_drawn_on_other_noise_keeps_former_scores(small_config, tmp_path, monkeypatch):
    draw = Evaluator.draw

    def broken(self, recipe, prompts, language, conditions, *rest):
        if recipe.name == "flat" and conditions.noise.rotation == 1:
            raise GenerationError("black")
        return draw(self, recipe, prompts, language, conditions, *rest)

    monkeypatch.setattr(Evaluator, "draw", broken)
    config = small_config.model_copy(update={"evaluations": 2, "noise_rotation": 1, "archive": 6})
    store = create_run(tmp_path / "run", config)
    first = {}

    def watch(store):
        first.setdefault(store.count(), {one.id: one.scores["ja"].tobytes() for one in store.individuals()})
        without_report(store)

    control.carry_out(store, watch)
    now = {one.id: one.scores["ja"].tobytes() for one in store.individuals()}
    assert now["flat"] == first[1]["flat"]
    assert now["real"] != first[1]["real"]
    store.close()
