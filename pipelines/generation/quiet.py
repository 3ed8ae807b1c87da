"""What keeps diffusers and transformers silent: the studio says itself what they would."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import diffusers
import transformers


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence the bars and warnings of diffusers and transformers while inside.

    Progress goes to a callback, and long captions are named by `LivePipeline.truncated_captions`.
    """
    libraries = (transformers.utils.logging, diffusers.utils.logging)
    levels = [library.get_verbosity() for library in libraries]
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    for library in libraries:
        library.set_verbosity_error()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
        if shown:
            transformers.utils.logging.enable_progress_bar()
