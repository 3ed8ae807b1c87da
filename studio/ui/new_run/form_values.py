"""The form as its components have it, as a browser sends it, and as an address asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from studio.errors import ConfigError
from studio.jobs.device_queue import device_count
from studio.runs.config import embedded
from studio.ui.common.studio import Studio

from .form import RunForm, form_of, ticked_and_own
from .form_options import BEYOND_THE_PAPER, NUMBERS, WORKERS, whole_number

_FORM, _TICKS = TypeAdapter(RunForm), TypeAdapter(dict[str, bool])


def shown_values(form: RunForm) -> dict[str, Any]:
    """The value of each component for a form, by its name: of its fields, and a tick for each step beyond the paper."""
    values = asdict(form)
    ticked = values.pop("options")
    return values | {one.field: one.name in ticked for one in BEYOND_THE_PAPER}


def typed_form(values: Mapping[str, Any]) -> RunForm:
    """Read the components as the browser sends them, by their names.

    Numbers out of range are taken to the nearest that fits, as the field itself does when it is left; an empty field
    has its least.

    Raises:
        ConfigError: a value is not of its component's kind, which no page sends.
    """
    fitting = {one.field: one.fit(values[one.field]) for one in (*NUMBERS, WORKERS)}
    ticks = {one.field: one.name for one in BEYOND_THE_PAPER}
    try:
        said = _TICKS.validate_python({field: values[field] for field in ticks})
        others = {name: value for name, value in values.items() if name not in ticks}
        options = [name for field, name in ticks.items() if said[field]]
        return _FORM.validate_python({**others, **fitting, "options": options})
    except ValidationError as error:
        raise ConfigError(
            "The form has a value that is none of its kind: {field}.", field=error.errors()[0]["loc"][0]
        ) from error


def asked_form(studio: Studio, query: Mapping[str, str]) -> RunForm | None:
    """The form that the page's address asks for: `fork=RUN`, `sources` (one a line), `prompts`, `noises`.

    Raises:
        M2N2Error: there is no such run, or a number is none.
    """
    wanted = {key: query[key] for key in ("fork", "sources", "prompts", "noises") if query.get(key)}
    if not wanted:
        return None
    form = replace(form_of(embedded()), workers=device_count())
    if "fork" in wanted:
        with studio.run(wanted["fork"]) as store:
            form = form_of(store.config, fork=store.folder)
    if "sources" in wanted:
        sources, own = ticked_and_own(wanted["sources"].splitlines())
        form = replace(form, sources=sources, own=own)
        form = replace(form, host=form.lender)
    if "prompts" in wanted:
        form = replace(form, prompts=wanted["prompts"])
    if "noises" in wanted:
        form = replace(form, noises=whole_number(wanted["noises"], "noises"))
    return form
