"""What a person stated of the licences of a merge when its weights were written although licences stood against it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class LicenceStatement(BaseModel):
    """Why somebody may publish a merge that its licences do not let everybody publish.

    Attributes:
        reason: in that person's words.
        who: that person.
        when: it was stated.
        about: what stood against it, a sentence for each clash.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Words
    who: Words
    when: datetime
    about: tuple[str, ...] = ()
