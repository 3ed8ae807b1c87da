"""From a picture to whoever drew it: the file says so itself."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import M2N2Error
from studio.errors import RunError
from studio.png_metadata import generation_data
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio


@at_field("dropped")
def found_by_picture(studio: Studio, file: Path) -> tuple[str, str]:
    """The run and the individual that a picture is by; the newest run where several have it.

    Raises:
        RunError: the file does not say how it was made, or nobody in these runs has its recipe.
    """
    said = generation_data(file)
    if said is None or "recipe" not in said:
        raise RunError(
            "This picture does not say how it was made. Expected a PNG that the studio wrote, as it was saved: "
            "programs that shrink or convert pictures leave out what is written in them."
        )
    called = str(said.get("individual", "")).rsplit("/", 1)[-1]
    for name in studio.run_names():
        try:
            with studio.run(name) as store:
                everyone = store.individuals()
        except M2N2Error:  # a run that cannot be read hides nobody in the others
            continue
        for one in sorted(everyone, key=lambda one: one.id != called):  # most likely the one it was called then
            if one.recipe.digest == said["recipe"]:
                return name, one.id
    raise RunError(
        "Nobody in the runs here has the recipe of this picture ({name}). Expected its "
        "run under {folder}: copy the run's folder there.",
        name=said.get("individual", "no name"),
        folder=studio.runs,
    )
