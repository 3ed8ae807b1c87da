"""What can go wrong in an evolution.

M2N2Error            (pipelines/errors.py)
└── EvolutionError   scores, archives or search states that M2N2 is not defined for
"""

from pipelines.errors import M2N2Error


class EvolutionError(M2N2Error):
    """Scores, archives or search states that M2N2 is not defined for."""
