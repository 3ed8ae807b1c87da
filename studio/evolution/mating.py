"""Who mates in an archive: by the search's own choice, by names that a caller gives, by what people favour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .archive import Archive
from .errors import EvolutionError
from .niches import Floats
from .offspring import Compatibility, G

Favour = Mapping[str, float]  # factors by id, 0 or more; whoever is not named has 1


def chosen_parents(
    archive: Archive,
    rng: np.random.Generator,
    *,
    genomes: Mapping[str, G],
    attract: bool,
    compatibility: Compatibility[G] | None,
    favour: Favour,
) -> tuple[str, str]:
    """Choose mother and father by fitness, attraction and what people favour; see `Competition.pick_parents`.

    Args:
        archive: who is alive.
        rng: gives exactly two uniform numbers.
        genomes: of everyone alive, by id.
        attract: False for a search without attraction.
        compatibility: mother's genome and a candidate's to a factor of its attraction.
        favour: what people favour; empty for the paper's choice, to the last bit.

    Raises:
        EvolutionError: fewer than two individuals are alive; or as `Competition.pick_parents`.
    """
    if len(ids := archive.ids) < 2:
        raise EvolutionError(
            "expected at least 2 individuals to breed from, found {found}; add the sources first", found=len(ids)
        )
    of_rows = None
    if (between := compatibility) is not None:
        known = [genomes[id] for id in ids]

        def of_rows(mother: int, row: int) -> float:
            return between(known[mother], known[row])

    mother, father = archive.competition.pick_parents(
        rng, attract=attract, compatibility=of_rows, favour=_factors(ids, favour)
    )
    return ids[mother], ids[father]


def named_parents(archive: Archive, parents: tuple[str, str]) -> tuple[str, str]:
    """Return the parents that a caller names.

    Raises:
        EvolutionError: they are not two different individuals alive.
    """
    mother, father = parents
    if mother == father or mother not in archive or father not in archive:
        raise EvolutionError(
            "expected two different parents out of {ids}, found {mother!r} and {father!r}",
            ids=", ".join(archive.ids),
            mother=mother,
            father=father,
        )
    return mother, father


def _factors(ids: tuple[str, ...], favour: Favour) -> Floats | None:
    """The factor of each; None where nobody alive is favoured or excluded, or too few would be left to breed."""
    if not favour:
        return None
    factors = np.array([favour.get(id, 1.0) for id in ids])
    return None if (factors == 1).all() or np.count_nonzero(factors) < 2 else factors
