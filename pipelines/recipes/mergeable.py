"""Whether sources fit together: UNets or networks tensor by tensor, and text encoders. No weights are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipelines.architectures.detection import refuse_undrawable, refuse_unwritable
from pipelines.architectures.keys import ANY_NETWORK, MODEL, TEXT_ENCODERS
from pipelines.checkpoints.component import first_difference
from pipelines.checkpoints.contents import TOKENIZERS
from pipelines.checkpoints.sources import Source
from pipelines.checkpoints.widened import FIRST_CONVOLUTION
from pipelines.errors import Phrase, SourceError


def check_mergeable(sources: Sequence[Source], *, weighted: Collection[str] | None = None, host: str = "") -> None:
    """Refuse sources whose UNets, or whose networks of any other kind, cannot be merged tensor by tensor.

    Args:
        sources: all that a merge names.
        weighted: the names of those whose UNets are merged, as the others only lend parts; all if left out.
        host: the name of the source that lends the UNet's layout, where the result is only written: it may be one that
            edits pictures, beside others that draw from text. If left out, the studio is to draw with the result.

    Raises:
        SourceError: two names alike, no whole UNet, another architecture or prediction type, another set of tensors or
            another shape; says where.
    """
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            "Two sources are called {name!r}. Expected a name of its own for each; write one as "
            "'another name = {name} ...', or rename its folder.",
            name=twice[0],
        )
    merged = [source for source in sources if weighted is None or source.name in weighted]
    if not merged:
        return
    part = MODEL if merged[0].recipe_architecture == ANY_NETWORK else "unet"
    first = next((source for source in sources if source.name == host), merged[0])
    for source in (first, *merged):
        source.require(part)
    if part == "unet":
        named = {source.name: source.architecture for source in merged}
        if host:
            refuse_unwritable(named, first.name, first.architecture)
        else:
            refuse_undrawable(named)
    for other in merged:
        joined = () if other.architecture.editing == first.architecture.editing else (FIRST_CONVOLUTION,)
        problem = first_difference(first.components[part], other.components[part], but=joined)
        if problem:
            raise SourceError(
                "{other} cannot be merged with {first}: {problem} "
                "Expected the same architecture; leave one of the two out.",
                other=other.name,
                first=first.name,
                problem=problem,
            )


def text_encoder_conflict(sources: Sequence[Source]) -> str | None:
    """Return why the text encoders of these sources cannot be merged.

    They can when every source has the same shapes and the same tokenizer for both of them.

    Returns:
        A sentence that names the first source that stands against it; `None` where they can be merged.
    """
    first = sources[0]
    for other in sources:
        for encoder, tokenizer in zip(TEXT_ENCODERS, TOKENIZERS, strict=True):
            if not (other.lends(encoder) and other.lends(tokenizer)):
                return Phrase(
                    "{other} {problem}.",
                    other=other.name,
                    problem=other.problem(encoder) or Phrase("has no {part}", part=tokenizer),
                )
            problem = first_difference(first.components[encoder], other.components[encoder])
            if problem:
                return Phrase(
                    "{encoder} of {other} differs from {first}'s: {problem}",
                    encoder=encoder,
                    other=other.name,
                    first=first.name,
                    problem=problem,
                )
            if first.vocabulary_sha256(tokenizer) != other.vocabulary_sha256(tokenizer):
                return Phrase(
                    "{tokenizer} of {other} differs from {first}'s.",
                    tokenizer=tokenizer,
                    other=other.name,
                    first=first.name,
                )
    return None
