"""More like these: a run of its own that begins with the models that are compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from studio.errors import RunError
from studio.execution import control
from studio.execution.creation import create_run, save_start
from studio.execution.preflight import measured_rate, preflight
from studio.i18n import Lang
from studio.runs.inputs import open_run_sources
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import name_subject

from .models import contenders

LEAST = 2  # models to breed from


@at_field("models")
def begin_with(studio: Studio, lang: Lang, run: str, named: Sequence[str]) -> str:
    """Fork a run with chosen models in place of its archive, and start the fork; the run itself stays as it is.

    The fork has the settings and the budget of the run. Its sources come first, as in every run; then those that are
    chosen, and nobody else of the run.

    Args:
        studio: where the runs lie.
        lang: of the page.
        run: whose settings the fork has.
        named: the models, as somebody wrote them; sources among them are in the fork anyhow.

    Returns:
        The name of the fork.

    Raises:
        M2N2Error: fewer than two models that are no sources; one over other sources; this machine has no room for it.
    """
    models = contenders(studio, lang, run, named)
    chosen = [one for one in models if one.individual is None or not one.individual.is_source]
    if len(chosen) < LEAST:
        raise RunError(
            "Expected at least {least} models that are no sources, found {found}. Choose the ones to breed from.",
            least=LEAST,
            found=len(chosen),
        )
    with studio.run(run) as store:
        config = store.config
    with tempfile.TemporaryDirectory() as folder:
        save_start([one.recipe for one in chosen], Path(folder))
        asked = config.changed({"start": str(Path(folder) / "start")})
        studio.previewer.release()  # or the run would find the device taken by the page beside
        rate = measured_rate(studio.runs, asked)
        preflight(asked, open_run_sources(asked), folder=studio.runs, rate=rate).check()
        fork = create_run(control.default_folder(studio.runs), asked)
    control.start(fork)
    fork.close()
    return name_subject(fork.name)
