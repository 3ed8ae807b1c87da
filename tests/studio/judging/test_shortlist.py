"""The shortlist: starred models, the best first, without those that were rejected."""

from studio.judging.annotations import annotate, reject, star
from studio.judging.shortlist import Finalists, finalists, shortlist
from studio.judging.votes import write_vote
from tests.voters import a_vote


def test_it_holds_whom_somebody_starred_and_nobody_rejected(store):
    assert shortlist(store) == []
    known = {one.id: one for one in store.individuals()}
    star(store, known["ja"], "Aya", on=True)
    annotate(store, known["real"], rater="Aya", stars=2, tags="", note="")
    annotate(store, known["base"], rater="Ken", stars=2, tags="", note="")
    annotate(store, known["flat"], rater="Ken", stars=0, tags="soft", note="no")
    equals = sorted(("real", "base"), key=lambda id: -known[id].mean("ja"))
    assert [one.id for one in shortlist(store)] == ["ja", *equals]
    reject(store, known["ja"], "Ken", on=True)
    star(store, known["real"], "Aya", on=False)
    assert [one.id for one in shortlist(store)] == ["base"]


def test_a_shortlist_that_does_not_fit_is_a_tournament(store):
    known = {one.id: one for one in store.individuals()}
    starred = ["ja", "real", "base", "flat"]
    for stars, id in zip((5, 4, 3, 2), starred, strict=True):
        annotate(store, known[id], rater="Aya", stars=stars, tags="", note="")
    assert finalists(store, shortlist(store), 4) == Finalists(tuple(starred), (), by_votes=False)
    assert finalists(store, shortlist(store), 2) == Finalists(("ja", "real"), ("base", "flat"), by_votes=False)
    write_vote(store.folder, a_vote(left="0001", right="ja"))  # not among them
    assert not finalists(store, shortlist(store), 2).by_votes
    write_vote(store.folder, a_vote(left="flat", right="ja"))
    assert finalists(store, shortlist(store), 2) == Finalists(("flat", "real"), ("base", "ja"), by_votes=True)
    assert finalists(store, shortlist(store), 4) == Finalists(tuple(starred), (), by_votes=False)  # all fit
