"""Somebody who is in the studio."""

from __future__ import annotations

from dataclasses import dataclass

from .audit import Audit
from .roles import Role

BY_TOKEN, ANYBODY = "(token)", "(anybody)"  # no names: brackets keep them apart from one


@dataclass(frozen=True)
class Visitor:
    """Somebody who is in.

    Attributes:
        name: of a person; `None` of whoever has the token, or needs none.
        role: what they may.
        audit: where it is written down.
        how: what they are called there without a name.
    """

    name: str | None
    role: Role
    audit: Audit
    how: str = BY_TOKEN

    def record(self, what: str, subject: str | None = None, *, refused: str = "") -> None:
        """Write down what this visitor did, or was refused."""
        self.audit.record(self.name or self.how, self.role, what, subject, refused=refused)
