"""Whether licences let a merge of their models be published: pure, from rows to clashes.

Three things stand in the way. A licence forbids changed versions. Two licences each want the merge to bear themselves.
One wants that, and another asks of people what the first does not, which it does not let anybody add.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from studio.i18n import Lang, t

from .catalogue import Licence
from .permissions import PassedOnTerm

ClashKind = Literal["no_derivatives", "two_share_alike", "added_terms"]


@dataclass(frozen=True)
class LicensedModel:
    """A model, and the licences that hold for it together."""

    name: str
    licences: tuple[Licence, ...]


@dataclass(frozen=True)
class ClashSide:
    """A model, and the licence of it that stands in the way."""

    model: str
    licence: str


@dataclass(frozen=True)
class Clash:
    """Why the weights of a merge may not be published.

    Attributes:
        kind: which of the three rules is broken.
        first: the model whose licence forbids changed versions, or wants merges to bear it.
        second: the model whose licence does not go with that; none where the first alone stands in the way.
        added: what the second asks of people and the first does not.
    """

    kind: ClashKind
    first: ClashSide
    second: ClashSide | None = None
    added: tuple[PassedOnTerm, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it is about."""
        return tuple(dict.fromkeys(side.model for side in (self.first, self.second) if side))

    def sentence(self, lang: Lang) -> str:
        """Say it to a person."""
        second = self.second or self.first
        return t(
            lang,
            f"clash_{self.kind}",
            first=self.first.model,
            first_licence=self.first.licence,
            second=second.model,
            second_licence=second.licence,
            added=", ".join(t(lang, f"term_{term}") for term in self.added),
        )


def find_clashes(models: Iterable[LicensedModel], *, changed: bool = True) -> list[Clash]:
    """Find every pair of licences, and every single one, that keeps a merge of models from being published.

    What is not known does not clash: nobody can say whether it does.

    Args:
        models: those whose weights are in it.
        changed: whether it differs from each of them; one model as it is may be passed on where changed versions may
            not.
    """
    sides = [(ClashSide(model.name, licence.name), licence) for model in models for licence in model.licences]
    clashes = [
        Clash("no_derivatives", side)
        for side, licence in sides
        if changed and licence.permissions.sharing_merges == "forbidden"
    ]
    open_sides = [one for one in sides if one[1].permissions.sharing_merges != "forbidden"]
    for one, other in combinations(open_sides, 2):
        clashes += _between(one, other)
    return list(dict.fromkeys(clashes))


def _between(one: tuple[ClashSide, Licence], other: tuple[ClashSide, Licence]) -> Sequence[Clash]:
    (first, row), (second, against) = one, other
    if row.name == against.name:
        return []
    if row.merges_bear_it and against.merges_bear_it:
        return [Clash("two_share_alike", first, second)]
    for side, wants, with_side, asks in ((first, row, second, against), (second, against, first, row)):
        added = asks.passes_on - wants.passes_on
        if wants.merges_bear_it and added:
            return [Clash("added_terms", side, with_side, tuple(sorted(added)))]
    return []
