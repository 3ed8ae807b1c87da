"""The list of runs: how each stands, in words, and a picture that stands for it."""

import pytest

from studio.i18n import LANGUAGES, t
from studio.ui.common.studio import Studio
from studio.ui.run_list.entries import run_list


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_that_is_done_shows_its_child(finished, lang):
    (entry,) = run_list(finished, lang)["runs"]
    assert entry["name"] == "first"
    assert entry["state"] == t(lang, "short_children", state=t(lang, "short_done"), done=3)
    assert entry["cover"].startswith("/pictures/small/first/")
    assert (entry["going"], entry["readable"]) == (False, True)


def test_a_first_day_has_none_and_says_what_to_do(tmp_path):
    assert run_list(Studio(tmp_path / "runs"), "ja") == {
        "runs": [],
        "words": {
            "empty": t("ja", "no_runs"),
            "close": t("ja", "lightbox_close"),
            "table": t("ja", "run_table"),
            "notice": t("ja", "run_notice"),
            "told": t("ja", "run_notice_told"),
            "refused": t("ja", "run_notice_refused"),
        },
    }


def test_a_run_that_cannot_be_read_is_listed_with_the_reason_in_the_pages_language(tmp_path):
    (tmp_path / "runs" / "torn").mkdir(parents=True)
    (tmp_path / "runs" / "torn" / "run.yaml").write_text("x")
    (entry,) = run_list(Studio(tmp_path / "runs"), "ja")["runs"]
    assert (entry["name"], entry["cover"], entry["readable"]) == ("torn", None, False)
    assert "run.db がありません" in entry["state"]
