"""`m2n2 review`: the page for a client, and what comes back."""

import json

from studio.judging.annotations import star
from studio.judging.reviews import read_reviews
from studio.runs.store import open_run


def test_the_page_is_written_and_a_review_taken_in(m2n2, ballot, tmp_path):
    done = m2n2("review", ballot)
    assert done.returncode == 1
    assert "There is no shortlist yet" in done.stderr
    store = open_run(ballot)
    one = store.individuals()[0]
    star(store, one, "", on=True)
    done = m2n2("review", ballot, "--lang", "ja")
    assert (done.returncode, done.stderr) == (0, "")
    page = ballot.with_name("ballot-review-ja.html")
    assert done.stdout.strip() == str(page)
    assert one.recipe.digest in page.read_text("utf-8")
    back = tmp_path / "back.json"
    said = {"recipe": one.recipe.digest, "pick": True, "comment": "桜"}
    back.write_text(json.dumps({"format": "m2n2-review", "version": 1, "by": "Sakura", "models": [said]}))
    assert m2n2("review", ballot, "--read", back).stdout == "Sakura: 1 comments, 1 picks\n"
    assert [review.by for review in read_reviews(store)] == ["Sakura"]
    store.close()
    back.write_text("{}")
    done = m2n2("review", ballot, "--read", back)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
