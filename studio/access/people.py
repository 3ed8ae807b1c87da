"""The people of a studio: name, role, and how each comes in; a file that is written whole, and read once it changed.

A password is kept as its Argon2id hash, the token of an invitation as its SHA-256: whoever reads the file cannot come
in with what stands there.
"""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import filelock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import Phrase, unreadable
from pipelines.storage.files import write_whole
from pipelines.untrusted import read_json
from studio.errors import AccessError

from .passwords import hash_password
from .roles import Role

LONGEST_NAME = 60  # letters, as of a rater's name
LINK_DAYS = 30  # an invitation holds, where nobody says otherwise


class Person(BaseModel):
    """Somebody who may come in, by a password, by the link of an invitation, or as a trusted proxy says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    role: Role
    password: str | None = None
    link: str | None = None
    until: datetime | None = None

    def holds(self, credential: str | None, now: datetime) -> bool:
        """Whether what somebody came in with still opens the door; `None` is a proxy's word."""
        if credential is None or credential == self.password:
            return True
        return credential == self.link and (self.until is None or now < self.until)


class _PeopleFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["m2n2-people"] = "m2n2-people"
    version: Literal[1] = 1
    people: tuple[Person, ...] = ()


class People:
    """The people in a file. Several processes may change it: the studio sees what a command did at its next request."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def everybody(self) -> tuple[Person, ...]:
        """List the people by name.

        Raises:
            AccessError: the file is damaged.
        """
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return ()
        return _read(self.path, facts.st_mtime_ns, facts.st_ino, facts.st_size)

    def find(self, name: str) -> Person | None:
        """Return the person of that name, whatever its case; `None` where there is none."""
        return next((one for one in self.everybody() if _same(one.name, name)), None)

    def by_link(self, token: str, now: datetime) -> Person | None:
        """Return the person whom an invitation's token names, while it holds."""
        link = fingerprint(token)
        return next((one for one in self.everybody() if one.link == link and one.holds(link, now)), None)

    def add(self, name: str, role: Role, password: str | None) -> Person:
        """Add somebody with a password; without one a trusted proxy has to name them.

        Raises:
            AccessError: there is somebody of that name, or name or password are not fit for use.
        """
        kept = None if password is None else hash_password(password)
        return self._new(Person(name=clean_name(name), role=role, password=kept))

    def invite(self, name: str, role: Role, *, days: int = LINK_DAYS) -> str:
        """Add somebody who comes in by a link; returns its token, which is kept nowhere.

        Raises:
            AccessError: there is somebody of that name, or the name is not fit for use.
        """
        token = secrets.token_urlsafe(32)
        until = datetime.now(UTC) + timedelta(days=days)
        self._new(Person(name=clean_name(name), role=role, link=fingerprint(token), until=until))
        return token

    def set_password(self, name: str, password: str, *, role: Role | None = None) -> Person:
        """Give somebody another password; who came in with the former one has to log in again.

        Args:
            name: of whom.
            password: the new one.
            role: of somebody who is new; without it there has to be somebody of that name.

        Raises:
            AccessError: there is nobody of that name, or the password is not fit for use.
        """
        kept = hash_password(password)

        def changed(people: tuple[Person, ...]) -> tuple[Person, ...]:
            known = next((one for one in people if _same(one.name, name)), None)
            if known is None and role is None:
                raise _nobody(name, people)
            new = known.model_copy(update={"password": kept}) if known else _person(name, role, kept)
            return (*(one for one in people if one is not known), new)

        return next(one for one in self._change(changed) if _same(one.name, name))

    def remove(self, name: str) -> None:
        """Take somebody off the list; whoever is in is out at the next request.

        Raises:
            AccessError: there is nobody of that name.
        """

        def changed(people: tuple[Person, ...]) -> tuple[Person, ...]:
            left = tuple(one for one in people if not _same(one.name, name))
            if len(left) == len(people):
                raise _nobody(name, people)
            return left

        self._change(changed)

    def _new(self, person: Person) -> Person:
        def changed(people: tuple[Person, ...]) -> tuple[Person, ...]:
            if any(_same(one.name, person.name) for one in people):
                raise AccessError(
                    "There is somebody called {name!r} already. Choose another name, or remove that one first: "
                    "m2n2 studio remove {name!r}.",
                    name=person.name,
                )
            return (*people, person)

        self._change(changed)
        return person

    def _change(self, changed: Callable[[tuple[Person, ...]], tuple[Person, ...]]) -> tuple[Person, ...]:
        private_folder(self.path.parent)
        with filelock.FileLock(self.path.with_suffix(".lock")):
            people = tuple(sorted(changed(self.everybody()), key=lambda one: _folded(one.name)))
            content = _PeopleFile(people=people).model_dump(mode="json", exclude_none=True)
            write_whole(self.path, json.dumps(content, ensure_ascii=False, indent=1).encode())
        return people


def fingerprint(token: str) -> str:
    """Return what is kept of a random token; it has 256 bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def clean_name(name: str) -> str:
    """Return a name as it is kept: without blanks around it, one between its words.

    Raises:
        AccessError: nothing is left, it is too long, or holds what no name holds.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(cleaned) <= LONGEST_NAME or any(unicodedata.category(one)[0] == "C" for one in cleaned):
        raise AccessError(
            "{name!r} is no name. Expected 1 to {longest_name} letters.",
            name=cleaned[:LONGEST_NAME],
            longest_name=LONGEST_NAME,
        )
    return cleaned


def private_folder(folder: Path) -> None:
    """Make a folder that nobody but its owner may look into; one that is there is left as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _person(name: str, role: Role | None, kept: str) -> Person:
    assert role is not None
    return Person(name=clean_name(name), role=role, password=kept)


def _nobody(name: str, people: tuple[Person, ...]) -> AccessError:
    known = ", ".join(one.name for one in people) or "nobody yet"
    return AccessError("There is nobody called {name!r}. Expected one of: {known}.", name=name, known=known)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _same(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


@functools.lru_cache(maxsize=8)  # read at every request
def _read(path: Path, changed: int, inode: int, size: int) -> tuple[Person, ...]:
    """The people of a file as it stands: the other three tell one state of it from another."""
    try:
        return _PeopleFile.model_validate(read_json(path)).people
    except ValidationError:
        problem: str = Phrase("it is no list of people of version 1")
    except (OSError, ValueError) as error:
        problem = unreadable(error)
    raise AccessError(
        "{path} cannot be read: {problem}. Nobody is let in by it. Put back a copy, or move it away and add "
        "everybody again: m2n2 studio add NAME.",
        path=path,
        problem=problem,
    )
