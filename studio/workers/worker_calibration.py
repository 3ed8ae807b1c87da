"""Whether workers on devices of several kinds may draw for one run: their scores of the same must be close enough."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from studio.errors import RunError
from studio.jobs.worker_account import WorkerIdentity
from studio.jobs.worker_kinds import KindsCompared

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest, EvaluationResult

logger = logging.getLogger(__name__)

PROMPTS = 4  # that are drawn to compare two kinds
TOLERANCE = 0.02  # of a score in 0..1, for any one picture; see docs/scale.md for what was measured


class WorkerCalibration:
    """Has one worker of each kind of device draw the same few prompts, and compares what they score.

    Workers of one kind are not compared: they give equal bits. To be called from several threads.

    Args:
        request: what is drawn.
        compared: what the run has compared so far.
        keep: writes what is compared into the run.
        tolerance: the largest difference with which a worker may draw for the run.
    """

    def __init__(
        self,
        request: EvaluationRequest,
        compared: KindsCompared | None,
        keep: Callable[[KindsCompared], None],
        *,
        tolerance: float = TOLERANCE,
    ) -> None:
        self._request, self._compared, self._keep, self._tolerance = request, compared, keep, tolerance
        self._lock = threading.Lock()  # held while the first worker draws: all others are compared with it

    def check(self, identity: WorkerIdentity, evaluate: Callable[[EvaluationRequest], EvaluationResult]) -> None:
        """Let a worker that has opened draw for the run, or refuse it.

        Args:
            identity: of the worker.
            evaluate: has it draw and score.

        Raises:
            RunError: its scores are too far from those of the first kind.
        """
        kind = identity.kind
        with self._lock:
            compared = self._compared
            if compared is None:
                scores = evaluate(self._request).scores.scores
                self._note(KindsCompared(reference=kind, scores=scores.tolist(), tolerance=self._tolerance))
                return
            if kind == compared.reference:
                return
            if (difference := compared.differences.get(kind)) is None:
                scores = evaluate(self._request).scores.scores
                difference = float(np.abs(scores - np.array(compared.scores)).max())
                logger.warning("scores on %s are up to %.6f from those on %s", kind, difference, compared.reference)
                self._note(compared.model_copy(update={"differences": {**compared.differences, kind: difference}}))
        if not difference <= self._tolerance:
            raise RunError(
                "A worker on {node} draws with {kind}: its scores of the calibration prompts are up to "
                "{difference:.4f} from those of {reference}, with which the run began. Expected at most "
                "{tolerance:.4f}: take that machine out, or start a run on machines of one kind.",
                node=identity.node,
                kind=kind,
                difference=difference,
                reference=compared.reference,
                tolerance=self._tolerance,
            )

    def _note(self, compared: KindsCompared) -> None:
        self._compared = compared
        self._keep(compared)
