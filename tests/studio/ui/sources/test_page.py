"""The Sources page's handlers without a browser."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import gradio as gr
import numpy as np
import pytest

import assets
from pipelines.errors import M2N2Error
from pipelines.recipes.recipe import blend
from studio.i18n import LANGUAGES
from studio.library import source_library
from studio.library.source_strengths import source_strengths
from studio.ui.common.cancellable import CancellableWork, Cancelled
from studio.ui.sources import checking, similarity
from studio.ui.sources import page as sources
from studio.ui.sources.cards import cards, entry

FAMILY = [str(path) for path in assets.sources()]


def nobody(share, words):
    """Nobody watches."""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_card_says_what_a_source_is_and_where_its_scores_come_from(finished, lang):
    shown = sources.ledger(finished, lang)
    assert shown.count("<article") == 4
    assert "cc-by-4.0" in shown
    assert shown.count('<table class="scores">') == 4
    assert ("run first, scored by judge" if lang == "en" else "実行 first") in shown
    assert "★" in shown
    assert shown.count("<img") == 24


def test_scores_of_a_run_are_its_own(finished):
    found = source_strengths(finished.runs, source_library.known_sources(finished.runs))
    with finished.run("first") as store:
        real, prompts = store.individual("real"), store.prompts.niches
    measured = found[str(assets.FAMILY / "real")]
    rows = [row for row, name in enumerate(prompts.categories) if name == "food"]
    assert (measured.run, measured.prompts) == ("first", len(prompts))
    assert measured.scores["en"]["food"] == pytest.approx(real.scores["en"].mean(axis=1)[rows].mean())
    assert all(file.is_file() for _, _, file in measured.pictures)


def test_a_source_without_previews_shows_what_it_drew_in_a_run(finished, copied):
    known = source_library.KnownSource(str(copied("real", "mine")))
    (Path(known.uri) / "previews").rename(Path(known.uri) / "other")
    found = source_strengths(finished.runs, source_library.known_sources(finished.runs))[str(assets.FAMILY / "real")]
    shown = cards("en", [entry(known)], {known.uri: found}, {})
    assert shown.count('href="/pictures/run/first/real/') == 6
    assert "No images come with this source" in cards("en", [entry(known)], {}, {})
    assert "Take it into a run" in cards("en", [entry(known)], {}, {})


def test_a_source_that_is_gone_or_elsewhere_keeps_its_card(finished):
    shown = cards(
        "en",
        [entry(source_library.KnownSource("/nowhere/<b>gone</b>")), entry(source_library.KnownSource("owner/name"))],
        {},
        {},
    )
    assert "There is nothing at /nowhere/&lt;b&gt;gone" in shown
    assert "Not on this machine yet" in shown


def test_chosen_sources_go_to_a_new_run(finished):
    link = sources.new_run_link("ja", FAMILY[:2])
    address = urlparse(link.split('href="')[1].split('"')[0].replace("&amp;", "&"))
    assert address.path == "/ja/new"
    assert parse_qs(address.query)["sources"] == ["\n".join(FAMILY[:2])]
    assert "href" not in sources.new_run_link("en", FAMILY[:1])
    assert sources.in_order(finished, [FAMILY[3], "gone", FAMILY[0]]) == [FAMILY[0], FAMILY[3]]


def test_what_adding_takes_is_told_before_anything_long(empty, copied):
    mine = str(copied("ja", "mine"))
    said = sources.look(empty, "en", f'"{mine}"\n\nowner/name\n{mine}/x\n/nowhere/x')
    assert "**mine**: SDXL layout" in said
    assert "reads 13.5 MB once" in said
    assert "**name** is not on this machine yet" in said
    assert f"⚠️ There is nothing at {mine}/x" in said
    assert "⚠️ /nowhere/x lies outside of the folders that pages may read" in said
    assert sources.look(empty, "ja", " ").startswith("チェックポイントの場所")


def test_sources_are_added_after_every_byte_was_checked(empty, copied):
    mine, told = str(copied("ja", "mine")), []
    assert sources.add(empty, "en", mine, lambda share, words: told.append((share, words))) == [mine]
    assert told[-1][0] > 0.99
    assert told[-1][1].startswith("Checking: 13.")
    assert source_library.added_sources(empty.runs) == [mine]
    assert ("mine", mine) in sources.choices(empty)
    assert "It was read before" in sources.look(empty, "en", mine)
    with pytest.raises(M2N2Error, match="No source is written"):
        sources.add(empty, "en", "\n", nobody)


def test_what_was_cancelled_is_not_added(empty, copied):
    def stop(share, words):
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        sources.add(empty, "en", str(copied("ja", "mine")), stop)
    assert source_library.added_sources(empty.runs) == []


def test_two_sources_of_one_name_are_told_apart(empty, copied):
    source_library.add_source(empty.runs, str(copied("ja")))
    labels = [label for label, _ in sources.choices(empty)]
    assert len(set(labels)) == 5
    assert sum(label.startswith("ja (/") for label in labels) == 2


def test_a_dropped_recipe_or_run_file_names_its_sources(finished, family, tmp_path):
    recipe = blend(list(family.values()), {"attention": [1, 0, 0, 0], "backbone": [1, 0, 0, 0]}, host={"default": "ja"})
    file = tmp_path / "x.recipe.json"
    file.write_text(recipe.to_json())
    assert sources.sources_in(file) == FAMILY
    assert sources.sources_in(finished.runs / "first" / "run.yaml") == FAMILY
    for name, content in (("x.yaml", "a: b"), ("y.yaml", "{"), ("z.json", json.dumps({"format": "x"}))):
        (tmp_path / name).write_text(content)
        with pytest.raises(M2N2Error, match="Expected|expected"):
            sources.sources_in(tmp_path / name)


def test_sources_are_compared_against_the_one_that_is_nearest_to_all(finished):
    told = []
    found = similarity.measure(FAMILY, "en", lambda share, words: told.append(share))
    assert found.central == "base"
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert found.text_encoders is None
    shown = similarity.heat_maps("en", found, "base")
    assert shown.count("<table") == 6
    assert shown.count('scope="row"') == 24
    assert "Angle between what each changed of base" in shown
    assert "Distance between what each changed of ja" in similarity.heat_maps("en", found, "ja")


def test_a_matrix_is_shaded_by_its_numbers_and_read_as_a_table():
    shown = similarity.heat_table("angles", ["a", "<b>"], np.array([[0.0, 45.0], [np.nan, 90.0]]), unit="°")
    assert '<td style="--shade:0.50">45.0°</td>' in shown
    assert "<td>–</td>" in shown
    assert "&lt;b&gt;" in shown


def test_what_cannot_be_compared_is_refused_with_what_to_do(finished):
    with pytest.raises(M2N2Error, match="at least two"):
        similarity.measure(FAMILY[:1], "en", nobody)
    with pytest.raises(M2N2Error, match="Add them below first"):
        similarity.measure([FAMILY[0], "owner/name"], "en", nobody)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_chosen_sources_are_examined_each_in_a_section(finished, lang):
    told = []
    shown = checking.check(finished, lang, FAMILY[:2], lambda share, words: told.append((share, words)))
    assert shown.count("<section>") == shown.count("✓") == 2
    assert shown.count("first") == 2  # the run whose pictures were measured
    assert ("Brightness" if lang == "en" else "明るさ") in shown
    assert told[-1][0] == 1.0
    assert ("Reading the weights" if lang == "en" else "重みを読み込んでいます") in told[-1][1]


def test_what_cannot_be_examined_is_refused_with_what_to_do(finished):
    with pytest.raises(M2N2Error, match="at least one"):
        checking.check(finished, "en", [], nobody)
    with pytest.raises(M2N2Error, match="Add them below first"):
        checking.check(finished, "en", ["owner/name"], nobody)


def test_only_pictures_of_known_sources_are_served(finished, served_pictures):
    client = served_pictures(finished)
    key = source_library.KnownSource(FAMILY[1]).key
    assert client.get(f"/pictures/shelf/{key}/0-1face-ja.png").status_code == 200
    for path in (f"{key}/..%2fmodel_index.json", f"{key}/absent.png", "0123/0-1face-ja.png"):
        assert client.get(f"/pictures/shelf/{path}").status_code == 404


def test_long_work_stops_only_for_who_asked():
    work = CancellableWork()
    mine, other = (gr.Request(session_hash=name) for name in ("mine", "other"))
    for one in (mine, other):
        work.begin(one)
    work.stop(mine)
    work.check(other)
    with pytest.raises(Cancelled):
        work.check(mine)
    work.end(mine)
    work.check(mine)
    work.stop(mine)
