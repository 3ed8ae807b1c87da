"""Errors of runs and of what people ask the studio for; they hang on the tree in `pipelines/errors.py`."""

from pipelines.errors import ExportError, M2N2Error


class ConfigError(M2N2Error):
    """What a run is asked to do cannot be read, or contradicts itself."""


class RunError(M2N2Error):
    """A run that cannot be opened, started, resumed or read."""


class LicenceError(ExportError):
    """Weights that are not written because licences do not let them be published, and nobody stated why they may."""


class AccessError(M2N2Error):
    """Somebody who may not come in, or people and passwords that are not fit for use."""
