"""The search benchmark: every method on three prompts and a few evaluations."""

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from benchmarks.search.methods import HIGHEST, Elites, RandomWeights, Rejection, Strategy
from benchmarks.search.report import load, report
from benchmarks.search.run import Job, carry_out, complete, run
from benchmarks.search.table import KEPT, METHODS, SCALES
from benchmarks.search.task import Bench, compact, restored
from eval.prompts.prompt_set import load_prompts
from pipelines.errors import RecipeError
from pipelines.recipes.recipe import blend
from studio.breeding.initial_population import source_recipes
from studio.breeding.m2n2 import M2N2
from studio.execution.control import carry_out as carry_out_run
from studio.execution.creation import create_run
from studio.runs.config import EMBEDDED_PICTURES, checked, embedded
from tests.conftest import without_report


@pytest.fixture(scope="module")
def bench():
    """Three prompts of three categories, one step."""

    def few(path, ids):
        prompts = load_prompts(path)
        by_category = {prompt.category: prompt for prompt in reversed(prompts.prompts)}
        return prompts.model_copy(update={"prompts": tuple(by_category[category] for category in ids)})

    config, categories = embedded(), ("animals", "food", "objects")
    return Bench(
        few(config.prompts, categories),
        few(config.held_out, categories),
        EMBEDDED_PICTURES.model_copy(update={"steps": 1}),
        config.sources,
    )


SIX = ("ties", "dare", "m2n2", "early-rejection", "cma-es", "map-elites", "references")
DRAWN = {"average": 1, **dict.fromkeys(SIX, 6), "bilingual": 5}  # how many of six, or ten


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Where they are written."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def runs(bench, results):
    """A few methods in earnest."""
    return {name: complete(bench, Job(name, seed=1), 10 if name == "bilingual" else 6, results) for name in DRAWN}


def scores(*values):
    return np.array(values, dtype=np.float64)


def test_runs_make_their_evaluations_and_report_their_best(runs):
    for name, result in runs.items():
        assert len(result["curve"]) == DRAWN[name]
        assert 0 < result["curve"][-1] < 1
        assert result["curve"] == sorted(result["curve"]) or name == "bilingual"  # there the mean of two rises
        assert [len(result["held_out"][kind]) for kind in ("ja", "en", "consistency")] == [3, 3, 3]
        assert json.loads(json.dumps(result))["seed"] == 1
    assert runs["references"]["curve"][0] != runs["m2n2"]["curve"][0]  # the same picture, beside another one
    assert runs["m2n2"]["curve"][:4] == runs["map-elites"]["curve"][:4]  # the sources come first
    assert [len(row) for _, row in runs["dare"]["winner"]["backbone"]] == [8]


def test_the_same_seed_gives_the_same_run(runs, bench):
    for name in ("m2n2", "cma-es", "dare"):
        again = run(bench, Job(name, seed=1), 6)
        for part in ("curve", "winner", "held_out", "cmmd"):
            assert again[part] == runs[name][part], name


def told(bench, name, seed, evaluations, folder):
    """The recipes that a method asks for when told scores that depend on the recipe alone, over its own sources."""
    config = METHODS[name].config(seed, bench.pictures)
    method, asked = METHODS[name].begin(config, bench.sources, bench.niches, folder), []
    while len(asked) < evaluations and (candidate := method.ask()) is not None:
        recipe = candidate.recipe
        asked.append(recipe)
        attention, backbone = recipe.shares["attention"], recipe.shares["backbone"]
        rows = [
            [share * attention[source] + (1 - share) * backbone[source] for source in ("ja", "flat", "real")]
            for share in (0.7, 0.3)  # the first language depends more on the attention
        ]
        found = np.concatenate(rows[: len(config.compete)])
        method.tell(candidate, np.clip(0.9 * found + 0.01 * candidate.rotation, 0, 1))
    assert method.best()[0] in asked
    return [recipe.digest for recipe in asked]


def test_every_search_is_one_of_its_own_and_repeats_itself(bench, tmp_path):
    searches = [
        name
        for name, entry in METHODS.items()
        if entry.group in ("searches", "ablations", "extensions") and "racing" not in entry.changes
        if name != "random-20"  # the first of random
    ]
    late = ("m2n2", "splits", "rotation", "bilingual")  # like M2N2 at first: the difference comes after 50 offspring
    asked = {name: told(bench, name, 3, 56 if name in late else 16, tmp_path) for name in searches}
    first, rest = asked["m2n2"], [digests for name, digests in asked.items() if name != "m2n2"]
    assert all(len(digests) >= 16 and digests != first[: len(digests)] for digests in rest)
    assert len({tuple(digests) for digests in asked.values()}) == len(searches) == 26
    assert all(asked[name][:4] == first[:4] for name in searches if name not in ("cma-es", "cma-es-quarters", "random"))
    for name in ("no-split", "cma-es", "random", "map-elites", "guided"):
        assert asked[name] == told(bench, name, 3, 16, tmp_path)
        assert asked[name] != told(bench, name, 4, 16, tmp_path)


def test_a_scale_of_ties_is_a_recipe_over_the_base_and_a_source_for_each_share_kept(bench, tmp_path):
    config = METHODS["ties"].config(0, bench.pictures)
    method = METHODS["ties"].begin(config, bench.sources, bench.niches, tmp_path)
    recipes = [candidate.recipe for candidate in iter(method.ask, None)]
    assert list(method.sources)[4:] == ["ties-0.1", "ties-0.2", "ties-0.5", "ties-1.0"]
    rows = [recipe.chromosomes["attention"].segments[0].weights for recipe in recipes]
    assert rows[0] == pytest.approx((0.9, 0, 0, 0, 0.1, 0, 0, 0))
    assert rows[6] == pytest.approx((0, 0, 0, 0, 1, 0, 0, 0))
    assert rows[-1] == pytest.approx((-1, 0, 0, 0, 0, 0, 0, 2))
    assert len(rows) == len(KEPT) * len(SCALES) == 40
    assert {recipe.host["default"] for recipe in recipes} == {"ja"}


def test_halves_by_hand_are_cut_where_the_second_half_of_the_network_begins(bench, tmp_path):
    config = METHODS["halves"].config(0, bench.pictures)
    (recipe,) = [
        one.recipe for one in iter(METHODS["halves"].begin(config, bench.sources, bench.niches, tmp_path).ask, None)
    ]
    for name, chromosome in recipe.chromosomes.items():
        layout, (first, second) = bench.sources["base"].components["unet"].layouts[name], chromosome.segments
        assert (first.weights, second.weights) == ((0, 0, 1, 0), (0, 0, 0, 1))  # base, ja, flat, real
        before = layout.names[list(layout.stops).index(first.stop)]
        assert before.startswith("mid_block.")
        assert second.stop == layout.size


def test_the_benchmark_breeds_what_a_run_breeds(bench, fewer_prompts, small_config, tmp_path):
    changes = {"breeding": {"merges": True, "warm_up": 8, "guided": True}, "noise_rotation": 4, "evaluations": 10}
    config = checked({**small_config.model_dump(), **changes, "prompts": str(fewer_prompts)})
    with closing(create_run(tmp_path / "run", config)) as store:
        carry_out_run(store, without_report)
        everyone = store.individuals()
    ours = Bench(load_prompts(fewer_prompts), bench.held_out, config.pictures, config.sources)
    method, asked = M2N2(config, ours.sources, noise_rotation=config.noise_rotation), {}
    while len(asked) < len(everyone):
        candidate = method.ask()
        recipe = candidate.recipe
        asked[recipe.name] = recipe.digest  # whoever is scored again on other noise is asked for again
        method.tell(candidate, ours.scores(recipe, method.sources, config, candidate.rotation))
    assert asked == {one.id: one.recipe.digest for one in everyone}
    assert method.rotation == 2
    assert set(method.archive.ids) == {one.id for one in everyone if one.alive}


def test_weights_of_cma_es_and_of_random_search_sum_to_one_in_each_chromosome(bench):
    for kind in (Strategy, RandomWeights):
        method = kind(embedded(seed=4), bench.sources)
        for number in range(25):  # more than two generations of ten
            candidate = method.ask()
            recipe = candidate.recipe
            for chromosome in recipe.chromosomes.values():
                (segment,) = chromosome.segments
                assert min(segment.weights) >= 0
                assert sum(segment.weights) == pytest.approx(1)
            method.tell(candidate, None if number == 3 else scores(0.1, recipe.shares["attention"]["ja"]))
        recipe, found = method.best()
        assert found[1] == recipe.shares["attention"]["ja"] > 0.4


def test_cma_es_finds_the_one_source_that_counts(bench):
    method = Strategy(embedded(seed=0), bench.sources)
    for _ in range(300):
        candidate = method.ask()
        shares = candidate.recipe.shares
        method.tell(candidate, scores(shares["attention"]["real"] * shares["backbone"]["ja"]))
    assert method.best()[1][0] > 0.9


def test_quarters_of_the_network_have_weights_of_their_own(bench):
    method = Strategy(embedded(seed=0), bench.sources, parts=4)
    for _ in range(400):
        candidate = method.ask()
        attention, backbone = candidate.recipe.chromosomes["attention"], candidate.recipe.chromosomes["backbone"]
        assert [segment.stop for segment in attention.segments] == [attention.size * part // 4 for part in (1, 2, 3, 4)]
        assert all(sum(segment.weights) == pytest.approx(1) for segment in backbone.segments)
        ja, real = (list(bench.sources).index(name) for name in ("ja", "real"))
        method.tell(candidate, scores(attention.segments[0].weights[ja] * attention.segments[3].weights[real]))
    assert method.best()[1][0] > 0.8  # one weight for all quarters gets 0.25 at most


def test_map_elites_keeps_the_best_of_a_cell(bench):
    method = Elites(embedded(seed=0), bench.sources, bench.niches)
    first = [method.ask() for _ in bench.sources]
    for candidate, value in zip(first, (0.1, 0.3, 0.2, 0.05), strict=True):
        method.tell(candidate, scores(0.1 * HIGHEST, 0.9 * HIGHEST, value))  # animals, food, objects: one cell for all
    best, found = method.best()
    assert (best.name, found[2]) == (first[1].recipe.name, 0.3)
    candidate = method.ask()
    child = candidate.recipe
    assert (child.lineage.mother, child.lineage.father) == (best.name, best.name)
    method.tell(candidate, scores(0.9 * HIGHEST, 0.1 * HIGHEST, 0.0))
    assert {method.ask().recipe.lineage.mother for _ in range(20)} == {best.name, child.name}


def test_other_noise_scores_everyone_alive_again_before_the_search_goes_on(bench):
    method, asked = M2N2(embedded(seed=0), bench.sources, noise_rotation=2), []
    for number in range(4 + 2 + 6 + 1):
        candidate = method.ask()
        asked.append((candidate.recipe.name, candidate.rotation))
        method.tell(candidate, scores(*np.random.default_rng(number).random(3)))
    names = ["base", "ja", "flat", "real", "0001", "0002"]
    assert asked == [*((name, 0) for name in names), *((name, 1) for name in names), ("0003", 1)]
    again = [np.random.default_rng(number).random(3).tolist() for number in range(6, 13)]
    assert method.best()[1].tolist() in again


def test_warm_up_pairs_sources_and_merges_come_first(bench):
    method = M2N2(embedded(seed=0, breeding={"merges": True, "warm_up": 9}), bench.sources)
    lineages = []
    for number in range(4 + 9):
        candidate = method.ask()
        lineages.append(candidate.recipe.lineage)
        method.tell(candidate, scores(0.5, number / 100))
    assert lineages[:4] == [None] * 4
    assert [one.ratios == {} for one in lineages[4:]] == [True] * 7 + [False] * 2
    assert all({one.mother, one.father} <= set(bench.sources) for one in lineages[11:])


def test_early_rejection_spares_those_who_cannot_enter_and_wrongs_nobody(bench):
    config = embedded(seed=0, archive=4, early_rejection=True, pictures={"batch": 2})
    method, plain = Rejection(config, bench.sources), M2N2(config, bench.sources)
    rng = np.random.default_rng(0)
    for number in range(40):
        found = rng.random(6) * (1.0 if number < 4 else rng.random())
        for one in (method, plain):
            one.tell(one.ask(), found)
    assert method.spared > 0
    assert method.spared % 2 == 0  # whole rounds of two
    assert method.wronged == 0
    assert method.best()[0] == plain.best()[0]


def test_a_failed_evaluation_is_nobodys_score(bench):
    for method in (M2N2(embedded(), bench.sources), Elites(embedded(), bench.sources, bench.niches)):
        assert method.best() is None
        for number in range(8):
            method.tell(method.ask(), scores(0.1, 0.2, 0.3) if number in (0, 2) else None)
        assert method.best()[0].name == "base"


def test_a_recipe_that_cannot_be_woven_has_no_scores_and_leaves_the_judge_in_office(bench, caplog):
    config, (base, *_) = METHODS["m2n2"].config(0, bench.pictures), source_recipes(embedded(), bench.sources).values()
    before = bench.scores(base, bench.sources, config)
    huge = dict.fromkeys(("attention", "backbone"), [1e6] * 4)
    recipe = blend(list(bench.sources.values()), huge, host={"default": "ja"})
    assert bench.scores(recipe, bench.sources, config) is None
    assert "overflows" in caplog.text
    with pytest.raises(RecipeError):
        bench.report(recipe, bench.sources)
    assert bench.scores(base, bench.sources, config).tolist() == before.tolist()


def test_a_winner_is_restored_from_its_segments(bench):
    method = M2N2(embedded(seed=5), bench.sources)
    for number in range(9):
        candidate = method.ask()
        method.tell(candidate, scores(0.1 * number, 0.2))
    recipe = candidate.recipe
    again = restored(json.loads(json.dumps(compact(recipe))), bench.sources, embedded())
    for name, chromosome in recipe.chromosomes.items():
        assert [one.stop for one in again.chromosomes[name].segments] == [one.stop for one in chromosome.segments]
        for one, other in zip(again.chromosomes[name].segments, chromosome.segments, strict=True):
            assert one.weights == pytest.approx(other.weights, abs=5.1e-6)
    assert again.host == recipe.host


def test_runs_are_written_and_reported(bench, runs, results, tmp_path):
    written = {name: {1: json.loads(json.dumps(found))} for name, found in runs.items() if name != "bilingual"}
    assert load(results, 6) == written
    jobs = [Job(name, 1) for name in ("average", "ties", "m2n2", "early-rejection")]
    (tmp_path / "search").mkdir()
    for job in jobs:
        shutil.copy(job.path(results, 6), job.path(tmp_path, 6))
    assert list(load(tmp_path, 6)) == [job.method for job in jobs]
    assert load(tmp_path, 50) == {}
    report(bench, tmp_path, 6)
    page = (tmp_path / "search.md").read_text("utf-8")
    for words in (
        "uniform average",
        "TIES",
        "Extensions that win: none.",
        "Early rejection in batches of 8 spares 0 of",
    ):
        assert words in page
    with Image.open(tmp_path / "search-pictures.png") as sheet:
        assert sheet.size == (190 + 3 * 64, 34 + 4 * 64)  # reference and three methods
    with Image.open(tmp_path / "search.png") as curves:
        assert curves.width > 1000


def test_a_run_that_is_there_is_not_repeated(tmp_path, capsys):
    job = Job("m2n2", 0)
    job.path(tmp_path, 200).parent.mkdir()
    job.path(tmp_path, 200).write_text("{}")
    carry_out([job], workers=1, folder=tmp_path)
    assert job.path(tmp_path, 200).read_text() == "{}"
    assert not capsys.readouterr().err
