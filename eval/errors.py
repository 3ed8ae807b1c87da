"""What can go wrong on this floor.

M2N2Error                (pipelines/errors.py)
└── EvalError
    ├── PromptSetError   a prompt set that cannot be read, or lacks what is asked of it
    ├── ScorerError      a scorer that cannot be opened, or a picture or caption it cannot score
    └── MetricError      numbers that cannot be averaged or compared
"""

from pipelines.errors import M2N2Error


class EvalError(M2N2Error):
    """Root of the errors of `eval`."""


class PromptSetError(EvalError):
    """A prompt set that cannot be read, or lacks what is asked of it."""


class ScorerError(EvalError):
    """A scorer that cannot be opened, or a picture or caption it cannot score; never counted as a score."""


class MetricError(EvalError):
    """Numbers that cannot be averaged or compared."""
