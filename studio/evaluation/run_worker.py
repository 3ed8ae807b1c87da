"""What draws and scores in a run, opened alike in the run's own process and in those of its workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch

from eval.errors import ScorerError
from eval.scorers.model_files import weights_size
from eval.scorers.scorer import FeatureScorer
from pipelines.checkpoints.sources import Source
from studio.breeding.initial_population import source_recipes
from studio.jobs.worker_account import WorkerIdentity
from studio.runs.config import RunConfig
from studio.runs.inputs import open_run_sources

from .evaluator import Evaluator, encoded
from .open_scorer import open_scorer, scorer_change, unpark_beside
from .worker import EvaluationRequest, EvaluationResult, LocalWorker, OpenedWorker


def open_evaluator(config: RunConfig, sources: Mapping[str, Source]) -> tuple[Evaluator, FeatureScorer]:
    """Open the pipeline of a run, and the scorer of fitness beside it where the device has room.

    Raises:
        M2N2Error: one of the two cannot be opened.
    """
    scorer = open_scorer(config.scorer)
    evaluator = Evaluator(
        next(iter(source_recipes(config, sources).values())),
        sources,
        settings=config.pictures,
        scorer_bytes=max(weights_size(name) or 0 for name in (config.scorer, config.reporter)),
    )
    unpark_beside(scorer, evaluator.pipeline)
    return evaluator, scorer


def open_run_worker(config: RunConfig, scorer: Mapping[str, Any], threads: int, device: int | None) -> OpenedWorker:
    """Open a worker of a run, in a process of its own: sources from the disk, a pipeline, a scorer.

    Args:
        config: the run.
        scorer: identity of the one that the run scores with.
        threads: how many torch sums with; scores depend on it to the last bit.
        device: torch's number of the accelerator; None for the only device there is.

    Raises:
        ScorerError: the scorer is another one.
        M2N2Error: sources, pipeline or scorer cannot be opened.
    """
    if device is not None:
        torch.cuda.set_device(device)
    return open_worker_over(config, open_run_sources(config), scorer, threads)


def open_worker_over(
    config: RunConfig, sources: Mapping[str, Source], scorer: Mapping[str, Any], threads: int
) -> OpenedWorker:
    """Open a worker of a run over sources that are opened already; other arguments are those of `open_run_worker`.

    Raises:
        ScorerError: the scorer is another one.
        M2N2Error: pipeline or scorer cannot be opened.
    """
    torch.set_num_threads(threads)
    evaluator, opened = open_evaluator(config, sources)
    if change := scorer_change(scorer, opened):
        raise ScorerError("The run {change} Put the former scorer back, and resume the run.", change=change)
    return _EncodingWorker(LocalWorker(evaluator, opened))


class _EncodingWorker:
    """A worker whose pictures come as the files that they will be: less to send, and encoded where there is time."""

    def __init__(self, worker: OpenedWorker) -> None:
        self._worker = worker

    @property
    def identity(self) -> WorkerIdentity:
        """See `OpenedWorker`."""
        return self._worker.identity

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw, score, encode; see `Worker`."""
        result = self._worker.evaluate(request, on_progress)
        recipe, settings = request.recipe, request.conditions.settings
        pictures = tuple(encoded(picture, recipe=recipe, settings=settings) for picture in result.pictures)
        return dataclasses.replace(result, pictures=pictures)
