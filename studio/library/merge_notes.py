"""What of a merge somebody may not expect, in words: sums of weights, noise schedules, few steps, its host again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.checkpoints.civitai import civitai_claims
from pipelines.checkpoints.sources import Source
from pipelines.errors import Phrase
from pipelines.exporting.provenance import contributing_sources, merged_sources, portable_uri
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.weight_sums import odd_sums
from pipelines.weaving.difference import ComponentDifference, ComponentRounding
from pipelines.weaving.plan import Plan
from studio.i18n import Lang, phrase, worded

from .adapter_notes import merge_notes as adapter_merge_notes

SINGLE_FILE_SCALING = 0.13025  # what programs that open single files multiply SDXL's latents by
_FEW_STEPS = re.compile(r"(?<![a-z])(turbo|lightning|hyper|lcm|dmd2?|tcd)(?![a-z])", re.IGNORECASE)
_FEW_STEP_SCHEDULERS = ("LCMScheduler", "TCDScheduler")


class Note(Protocol):
    """Something that a merge's maker should know, which says itself in either language."""

    def text(self, lang: Lang) -> str:
        """Write the note as a sentence."""

    def phrase(self) -> Phrase:
        """The note in no language yet."""


@dataclass(frozen=True)
class MergeNote:
    """One thing that somebody should know about a merge.

    Attributes:
        key: the phrase that says it.
        values: what is filled in.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, lang: Lang) -> str:
        """Write the note as a sentence."""
        return worded(lang, self.phrase())

    def phrase(self) -> Phrase:
        """The note in no language yet."""
        return phrase(self.key, **self.values)


def recipe_notes(recipe: Recipe, sources: Mapping[str, Source]) -> list[Note]:
    """Note what somebody may not expect of a recipe, whatever it is written as; `sources` by the recipe's names."""
    contributing = [sources[name] for name in contributing_sources(recipe)]
    return [
        *weight_notes(recipe),
        *mix_notes([sources[name] for name in merged_sources(recipe)], recipe.lender),
        *adapter_merge_notes(contributing, recipe.merged_components, recipe.lender),
    ]


def weight_notes(recipe: Recipe) -> list[MergeNote]:
    """Note chromosomes whose weights do not add up to 1; children of SLERP have other sums, and norms that fit."""
    if recipe.lineage is not None:
        return []
    return [
        MergeNote(
            "weights_far" if odd.is_far else "weights_odd", {"chromosome": odd.chromosome, "total": f"{odd.total:g}"}
        )
        for odd in odd_sums(recipe)
    ]


def mix_notes(merged: Iterable[Source], lender: Callable[[str], str]) -> list[MergeNote]:
    """Note what does not go well together among sources.

    Args:
        merged: the sources whose weights are merged.
        lender: the name of the source that lends a component that is not.
    """
    sources = list(merged)
    return [*_schedule_notes(sources, lender("scheduler")), *_few_step_notes(sources)]


def single_file_notes(plan: Plan) -> list[MergeNote]:
    """Note what a single file of a plan cannot hold, which programs that open it would need."""
    if plan.architecture.family != "SDXL":
        return []
    lender = plan.lender("vae")
    factor = lender.config("vae").get("scaling_factor", SINGLE_FILE_SCALING)
    if factor == SINGLE_FILE_SCALING:
        return []
    return [MergeNote("vae_scaling", {"source": lender.name, "factor": factor, "usual": SINGLE_FILE_SCALING})]


def difference_notes(lender: Callable[[str], str], differences: Sequence[ComponentDifference]) -> list[MergeNote]:
    """Say how far a merge is from its host, a sentence for each component; `lender` names who lends its layout."""
    return [
        MergeNote(
            "merge_differs" if one.changed else "merge_equals_host",
            {
                "component": one.component,
                "host": lender(one.component),
                "tensors": one.tensors,
                "changed": one.changed,
                "relative": f"{one.relative:.2%}",
            },
        )
        for one in differences
    ]


def rounding_notes(rounding: Sequence[ComponentRounding]) -> list[MergeNote]:
    """Say what eight bits cost, a sentence for each component."""
    return [
        MergeNote(
            "rounding",
            {
                "component": one.component,
                "rounded": one.rounded,
                "tensors": one.tensors,
                "relative": f"{one.relative:.2%}",
            },
        )
        for one in rounding
    ]


def _schedule_notes(sources: Sequence[Source], lender: str) -> list[MergeNote]:
    """Note sources whose zero terminal SNR is lost: the schedule is one source's alone, and that says nothing of it."""
    by_name = {source.name: source for source in sources}
    if lender not in by_name or by_name[lender].architecture.zero_terminal_snr:
        return []
    lost = [source.name for source in sources if source.architecture.zero_terminal_snr]
    return [MergeNote("ztsnr_lost", {"source": lost[0], "lender": lender})] if lost else []


def _few_step_notes(sources: Sequence[Source]) -> list[MergeNote]:
    """Note models of few steps beside others; that can only be read in what is said of them."""
    told = {source.name: evidence for source in sources if (evidence := few_step_evidence(source))}
    others = [source.name for source in sources if source.name not in told]
    if not told or not others:
        return []
    few, word = next(iter(told.items()))
    return [MergeNote("few_steps", {"few": few, "word": word, "others": ", ".join(others)})]


def few_step_evidence(source: Source) -> str | None:
    """Return the word by which a source is said to be a model of few steps (Turbo, Lightning, LCM); `None` if none.

    Its weights do not show it. The word is looked for in its name and file names, its header's title and tags, its
    card's tags, what Civitai calls its base, and the class of its scheduler.
    """
    scheduler = str(source.contents.configs.get("scheduler", {}).get("_class_name"))
    if scheduler in _FEW_STEP_SCHEDULERS:
        return scheduler
    claims = civitai_claims(source.path) if source.path.is_file() else None
    metadata = source.contents.metadata
    said = [
        source.name,
        portable_uri(source),
        metadata.get("modelspec.title", ""),
        metadata.get("modelspec.tags", ""),
        str(source.card.get("tags", "")),
        (claims and claims.base_model) or "",
    ]
    found = next((match for text in said if (match := _FEW_STEPS.search(text))), None)
    return found[0] if found else None
