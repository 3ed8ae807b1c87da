"""The shortlist: starred models, the best first, without those that were rejected."""

from studio.judging.annotations import annotate, reject, star
from studio.judging.shortlist import shortlist


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
