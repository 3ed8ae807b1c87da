"""A line for whatever changes something: when, who, with which role, what, and of which run or export. No secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from studio.journal import Journal

from .people import private_folder
from .roles import Role


class Audit:
    """`audit.jsonl` beside the list of people: appended to, never edited."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)

    def record(self, who: str, role: Role | None, what: str, subject: str | None = None, *, refused: str = "") -> None:
        """Write a line.

        Args:
            who: a name, or how somebody without one came in.
            role: of whoever it is; `None` of a stranger.
            what: page and action, such as `evolve.start`.
            subject: the run or export that it is about.
            refused: the kind of error, where it was not done.
        """
        private_folder(self._journal.path.parent)
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "who": who, "role": role, "what": what}
        self._journal.append(
            line | ({"subject": subject} if subject else {}) | ({"refused": refused} if refused else {})
        )

    def lines(self) -> list[dict[str, str]]:
        """Read every line, oldest first."""
        return self._journal.events()
