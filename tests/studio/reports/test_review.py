"""The page for a client: one file with the shortlist's pictures, nothing from elsewhere, nothing of this machine."""

import html
import re
import shutil

import pytest

from studio.errors import RunError
from studio.i18n import LANGUAGES, t
from studio.judging.annotations import star
from studio.judging.pinned_prompts import pin_prompts, pinned_prompts
from studio.reports.review import MOST_REVIEWED, review_html, reviewed_models, write_review
from studio.run_folders.labels import RunLabel, write_label
from studio.runs.store import open_run


@pytest.fixture
def store(bred, tmp_path):
    store = open_run(shutil.copytree(bred.folder, tmp_path / "sakura"))
    yield store
    store.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_holds_the_shortlist_on_the_pinned_prompts(store, lang, tmp_path):
    write_label(store.folder, RunLabel("<春> & co"))
    pin_prompts(store, [prompt.id for prompt in store.prompts.niches.prompts[:2]])
    chosen = store.individuals()[:2]
    for one in chosen:
        star(store, one, "Aya", on=True)
    page = write_review(store, lang, tmp_path / "page.html").read_text("utf-8")
    assert f'<html lang="{lang}">' in page
    assert f"<h1>{html.escape('<春> & co')}</h1>" in page
    assert sorted(re.findall(r'data-recipe="(\w+)"', page)) == sorted(one.recipe.digest for one in chosen)
    pictures = sum(
        store.image(one.id, prompt.id, language, 0).is_file()
        for one in chosen
        for prompt in pinned_prompts(store)
        for language in ("ja", "en")
    )
    assert page.count('src="data:image/webp;base64,') == page.count("<img ") == pictures > 3
    for prompt in pinned_prompts(store):
        assert html.escape(prompt.ja) in page
    assert page.count("<textarea") == len(chosen) + 2
    assert t(lang, "review_pick") in page


def test_it_asks_nobody_for_anything_and_names_no_place(store):
    page = review_html(store, "en", store.individuals()[:2])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert not re.search(r"""(?:src|href)=["']?+(?!data:)|https?:|//[a-z]+\.|url\(|@import""", page.split("<body>")[1])
    assert str(store.folder.parent) not in page
    assert "0." not in re.sub(r"base64,[^\"]+|<script>.*?</script>", "", page.split("<body>")[1], flags=re.DOTALL)


def test_without_stars_there_is_nothing_to_send_and_never_too_much(store):
    with pytest.raises(RunError, match="no shortlist yet"):
        reviewed_models(store)
    everyone = store.individuals()
    for one in everyone:
        star(store, one, "Aya", on=True)
    assert len(reviewed_models(store)) == min(len(everyone), MOST_REVIEWED)
