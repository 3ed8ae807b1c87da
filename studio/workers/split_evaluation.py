"""One child's prompts over several workers, where there are more of these than children in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest, EvaluationResult

    from .worker_pool import WorkerPool


class SplitEvaluation:
    """A `Worker` over a pool: parts of a request are drawn at once, and put together again in their order.

    Parts are made of whole rounds of prompts, see `DrawingConditions.rounds`, so that every picture is drawn and scored
    in the batch in which one worker alone would have it: the result is the same, bit for bit.

    Args:
        pool: whose workers draw; whoever made it closes it.
        in_flight: requests that come at once.
    """

    def __init__(self, pool: WorkerPool, in_flight: int) -> None:
        self._pool, self._in_flight = pool, in_flight

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw and score with as many workers as there are for one request; see `WorkerPool.evaluate`."""
        parts = request.split(self._pool.count // self._in_flight)
        if len(parts) == 1:
            return self._pool.evaluate(request, on_progress)
        drawn, lock = [0] * len(parts), threading.Lock()

        def evaluated(number: int) -> EvaluationResult:
            def progressed(pictures: int) -> None:
                with lock:
                    drawn[number] = pictures
                    total = sum(drawn)
                if on_progress:
                    on_progress(total)

            return self._pool.evaluate(parts[number], progressed)

        with ThreadPoolExecutor(len(parts)) as threads:
            found = list(threads.map(evaluated, range(len(parts))))
        return found[0].joined(found[1:])
