"""What a recipe merges of the sources at hand: whether that is whole and fits, and what kind of model comes out.

What a source lends, and what has no weight, is not looked at here: only what is used must fit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from pipelines.architectures.detection import Architecture
from pipelines.architectures.keys import TEXT_ENCODERS
from pipelines.checkpoints.component import first_difference
from pipelines.checkpoints.sources import Source
from pipelines.errors import Phrase, SourceError

from .mergeable import check_mergeable
from .recipe import Recipe


def check_merged(recipe: Recipe, sources: Mapping[str, Source]) -> None:
    """Refuse what is merged of the sources where it is not whole or does not fit; no weights are read.

    Raises:
        SourceError: says which part of which source, what is missing, and what to do.
    """
    named = [sources[one.name] for one in recipe.sources]
    for part in recipe.merged_components:
        weighted, host = recipe.weighted_sources(part), recipe.lender(part)
        if part not in TEXT_ENCODERS:
            check_mergeable(named, weighted=weighted, host=host)
            continue
        lent = sources[host].require(part)
        for name in weighted:
            if problem := first_difference(lent, sources[name].require(part)):
                raise SourceError(
                    "{part} of {name} differs from {host}'s: {problem} Expected text encoders of one kind; leave them "
                    "to the host.",
                    part=part,
                    name=name,
                    host=host,
                    problem=problem,
                )


def result_architecture(recipe: Recipe, lender: Source, sources: Mapping[str, Source]) -> Architecture:
    """Return what a merge is: the UNet of its lender, which predicts what those predict that have weight in it."""
    weighted = recipe.weighted_sources("unet")
    if lender.name in weighted or not weighted:
        return lender.architecture
    merged = sources[weighted[0]].architecture
    return dataclasses.replace(
        lender.architecture,
        prediction_type=merged.prediction_type,
        zero_terminal_snr=merged.zero_terminal_snr,
        edm=merged.edm,
    )


def lending_remedy(part: str, sources: Iterable[Source]) -> Phrase:
    """Return what to do where a host cannot lend a component: which of the sources at hand can."""
    able = next((source.name for source in sources if source.lends(part)), None)
    return Phrase(
        'Name another source for it in the recipe\'s host, such as {{"{part}": "{source}"}}; `m2n2 recipe blend` '
        "does with --host {part}={name}.",
        part=part,
        source=able or Phrase("a full checkpoint"),
        name=able or "SOURCE",
    )
