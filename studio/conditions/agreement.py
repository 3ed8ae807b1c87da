"""A difference stops a run, unless a person states why it may go on; the statement stays with the run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.checkpoints.sources import Source
from pipelines.errors import joined
from studio.errors import RunError
from studio.i18n import Lang, t
from studio.runs.store import C, RunStore, now

from .difference import Difference, difference_phrase, differences, sentence
from .record import conditions_now, conditions_then

logger = logging.getLogger(__name__)


class Agreement:
    """What a person says to the differences that are found when a run goes on.

    Args:
        store: the run.
        why: the statement that it may go on nevertheless; None where nobody made one.
        reread: whether every byte of the sources is read again, whatever is known of them.
    """

    def __init__(self, store: RunStore[C], why: str | None = None, *, reread: bool = False) -> None:
        self._store, self._why, self._reread = store, why, reread

    def check(self, sources: Mapping[str, Source], files: Mapping[str, Path]) -> None:
        """Compare what the run depends on with what it was, and record it; arguments as in `conditions_now`.

        Raises:
            RunError: something is another than it was, and nobody stated why the run may go on.
            SourceError: weights that are not finite, or that change while they are read.
        """
        then, found = conditions_then(self._store), conditions_now(sources, files, reread=self._reread)
        if then is not None and not then.complete:
            logger.warning(
                "%s began before what a run depends on was recorded: its weights are compared; configurations, "
                "prompts, versions, processor and number of threads cannot be. They are recorded from now on.",
                self._store.folder,
            )
        if then is not None:
            self.settle(differences(then, found))
        self._store.update(conditions=found.model_dump(mode="json"))

    def settle(self, found: Sequence[Difference]) -> None:
        """Go on with differences that a person agreed to, and note the statement in the run.

        Raises:
            RunError: there are some, and nobody agreed.
        """
        if not found:
            return
        others = next((one for one in found if one.kind == "sources"), None)
        if others:
            raise RunError(
                "{folder} cannot go on: {difference} Put the former ones back into its run.yaml, or start a new run.",
                folder=self._store.folder,
                difference=difference_phrase(others),
            )
        rows = [one.model_dump() for one in found]
        if self._why is None:
            self._store.update(differences=rows)
            raise RunError(
                "{folder} cannot go on as it began: what it depends on has changed. "
                "{differences} Nothing of the run was changed. Put back what it "
                'was and resume, start a new run, or state why this one may go on: --accept "WHY".',
                folder=self._store.folder,
                differences=joined(" ", map(difference_phrase, found)),
            )
        statement = {
            "when": now().isoformat(timespec="seconds"),
            "after": self._store.count(),
            "why": self._why,
            "differences": rows,
        }
        accepted = [*self._store.state.accepted, statement]
        self._store.update(accepted=accepted, differences=[], kinds=None)  # workers are compared with what draws now
        logger.warning("going on after a difference that was accepted: %s", self._why)


def accepted_note(lang: Lang, statement: Mapping[str, Any]) -> str:
    """Say a statement of `RunState.accepted` in a sentence."""
    found = [sentence(lang, Difference.model_validate(one)) for one in statement["differences"]]
    return t(lang, "accepted_note", after=statement["after"], why=statement["why"], differences=" ".join(found))
