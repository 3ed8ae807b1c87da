"""A person's function as the judge of networks: found by file and name, called, its errors told apart from scores."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from studio.errors import ConfigError, RunError
from studio.evolution.errors import EvolutionError
from studio.evolution.niches import check_scores


class ScorerError(RunError):
    """A person's function failed on one network: an evaluation to record, never a score."""


class Scorer:
    """A function `score(weights) -> scores`.

    It is given the weights as a mapping of names, as in the host's files, to tensors on the CPU in the host's dtype, to
    copy from (`model.load_state_dict(weights)`) and not to change; the same memory holds the next network. It gives one
    number in 0..1 per item, as many each time; equal weights must get equal scores.

    Attributes:
        identity: the file's SHA-256, and the function.
    """

    def __init__(self, named: str, *, items: int | None = None) -> None:
        """Run the file, as `python FILE.py` would but for its `__name__`, and find the function.

        Args:
            named: FILE.py:FUNCTION.
            items: how many scores it gave before; as many as it gives first, if left out.

        Raises:
            ConfigError: no such file or function, or the file fails.
        """
        place, _, name = named.rpartition(":")
        self.named = f"{Path(place).name}:{name}"
        self.identity = {"function": name, "sha256": file_sha256(Path(place))}
        function = getattr(_module(Path(place), self.identity["sha256"]), name, None)
        if not callable(function):
            raise ConfigError(
                "{place} has no function {name!r}. Expected FILE.py:FUNCTION with one that is there.",
                place=place,
                name=name,
            )
        self._function: Callable[[Mapping[str, torch.Tensor]], Any] = function
        self._items = items

    def __call__(self, weights: Mapping[str, torch.Tensor]) -> np.ndarray:
        """The scores of a network: float64 [items], in 0..1.

        Raises:
            ScorerError: the function raises, or gives no numbers, others than 0..1, or another count than before.
        """
        try:
            found = np.asarray(self._function(weights), dtype=np.float64)
        except Exception as error:
            raise ScorerError("{scorer} failed: {problem}", scorer=self.named, problem=_told(error)) from error
        try:
            scores: np.ndarray = check_scores(found[np.newaxis])[0]
        except EvolutionError as error:
            raise ScorerError("{scorer}: {error}", scorer=self.named, error=error) from error
        if len(scores) != (self._items or len(scores)):
            raise ScorerError(
                "{scorer} gave {found} scores. Expected {expected}, as before.",
                scorer=self.named,
                found=len(scores),
                expected=self._items,
            )
        self._items = len(scores)
        return scores


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a scorer's file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            "{path} cannot be read ({reason}). Expected a Python file with a scorer.", path=path, reason=error.strerror
        ) from error


def _module(path: Path, sha256: str) -> ModuleType:
    """The file as a module, run once; its neighbours can be imported, now and when the function is called."""
    name = f"m2n2_scorer_{hashlib.sha256(f'{path} {sha256}'.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            "{path} fails when it is imported: {problem}. Mend it, and start again.", path=path, problem=_told(error)
        ) from error
    return module


def _told(error: Exception) -> str:
    """An error in one line, with the place where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file, line = (error.filename, error.lineno) if isinstance(error, SyntaxError) else (last.filename, last.lineno)
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(file or '').name}, line {line})"
