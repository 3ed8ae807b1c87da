"""The door of a studio: what opens it, under which names it is reached, which proxy it believes."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import Phrase
from studio.errors import AccessError

from .audit import Audit
from .passwords import is_password
from .people import People, Person, fingerprint
from .sessions import Failures, Sessions
from .visitor import ANYBODY, Visitor

FOLDER = "access"  # beside the runs
STRANGER = "(stranger)"
LOOPBACK_NAMES = {"localhost", "localhost.localdomain"}


class TooManyFailures(AccessError):
    """Logging in failed too often of late.

    Attributes:
        seconds: until the next try.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "Logging in failed too often. Try again in {minutes} minutes.", minutes=max(1, round(seconds / 60))
        )
        self.seconds = seconds


@dataclass(frozen=True)
class Door:
    """Decides who is who. One object for the life of a server.

    Attributes:
        people: who may come in by a password, an invitation, or a proxy's word.
        audit: where it is written down.
        token: opens the door to whoever starts the studio; `None` where everybody who reaches the port is the owner.
        names: host names, beside numbers and this machine's own, under which the studio is reached.
        proxy: the address of a proxy whose forwarding headers are believed; `None` believes nobody.
        user_header: the header in which that proxy names who is logged in.
    """

    people: People
    audit: Audit
    token: str | None
    names: frozenset[str] = frozenset()
    proxy: str | None = None
    user_header: str | None = None
    sessions: Sessions = field(default_factory=Sessions)
    failures: Failures = field(default_factory=Failures)

    @property
    def cookie(self) -> str:
        """The name of this studio's cookie: browsers keep cookies by host, and another studio may listen beside."""
        return f"m2n2-{fingerprint(str(self.people.path))[:8]}"

    def answers_to(self, name: str) -> bool:
        """Whether the studio is reached under a host name: any number, this machine's names, and those it was told.

        A page of a stranger may let its own name point to this machine, and would then count as the same site; it
        cannot take a number or one of these names.
        """
        known = LOOPBACK_NAMES | self.names | {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        return name.lower().rstrip(".") in known or _is_number(name)

    def visitor(self, *, cookie: str | None, bearer: str | None, said_by_proxy: str | None) -> Visitor | None:
        """Tell who is there; `None` of a stranger.

        Args:
            cookie: the token of a session.
            bearer: what a program sends in `Authorization`: the studio's token, or an invitation's.
            said_by_proxy: the name that the trusted proxy gave.

        Raises:
            AccessError: the list of people is damaged.
        """
        if said_by_proxy is not None:
            return self._person(self.people.find(said_by_proxy), None)
        if self.token is None:
            return Visitor(None, "owner", self.audit, ANYBODY)
        if bearer is not None:
            return self._by_token(bearer)[0]
        session = self.sessions.get(cookie) if cookie else None
        if session is None:
            return None
        if session.name is None:
            return Visitor(None, "owner", self.audit)
        return self._person(self.people.find(session.name), session.credential)

    def enter(self, token: str) -> str | None:
        """Exchange the studio's token, or an invitation's, for a session; `None` where it opens nothing."""
        visitor, credential = self._by_token(token)
        return self._begin(visitor, credential, "come in") if visitor else None

    def log_in(self, name: str, password: str, address: str) -> str | None:
        """Exchange a name and a password for a session; `None` where they do not fit.

        Args:
            name: of a person.
            password: theirs.
            address: where it comes from, for counting failures.

        Raises:
            TooManyFailures: nothing was compared.
        """
        wait = self.failures.wait(address, name)
        if wait > 0:
            raise TooManyFailures(wait)
        self.failures.note(address, name)  # before it is compared: tries at the same moment count too
        person = self.people.find(name)
        if not is_password(person.password if person else None, password) or person is None:
            # What an unknown name was typed as is not written down: it may be a password in the wrong field.
            self.audit.record(person.name if person else STRANGER, None, "log in", refused="wrong name or password")
            return None
        self.failures.forgive(address, name)
        return self._begin(Visitor(person.name, person.role, self.audit), person.password, "log in")

    def leave(self, cookie: str) -> None:
        """End the session of a cookie."""
        self.sessions.end(cookie)

    def _begin(self, visitor: Visitor, credential: str | None, what: str) -> str:
        visitor.record(what)
        return self.sessions.begin(visitor.name, credential)

    def _by_token(self, token: str) -> tuple[Visitor | None, str | None]:
        if self.token and hmac.compare_digest(fingerprint(token), fingerprint(self.token)):
            return Visitor(None, "owner", self.audit), None
        link = fingerprint(token)
        return self._person(self.people.by_link(token, datetime.now(UTC)), link), link

    def _person(self, person: Person | None, credential: str | None) -> Visitor | None:
        if person is None or not person.holds(credential, datetime.now(UTC)):
            return None
        return Visitor(person.name, person.role, self.audit)


def people_of(runs: Path) -> People:
    """The people of the studio over a folder of runs."""
    return People(runs.resolve().parent / FOLDER / "people.json")


def open_door(
    runs: Path,
    host: str,
    *,
    with_token: bool = True,
    names: Collection[str] = (),
    proxy: str | None = None,
    user_header: str | None = None,
) -> Door:
    """Make the door of the studio over a folder of runs, with a new token.

    Raises:
        AccessError: the options do not go together, or it would stand open to a network.
    """
    people = people_of(runs)
    everybody = people.everybody()
    if user_header and not proxy:
        raise AccessError("--user-header is believed of one proxy alone. Name its address too: --proxy 127.0.0.1.")
    if proxy and not _is_number(proxy):
        raise AccessError(
            "{proxy!r} is no address of a proxy. Expected a number, such as 127.0.0.1 or 10.0.0.2.", proxy=proxy
        )
    if not with_token and (proxy or not is_loopback(host)):
        raise AccessError(
            "--no-token makes everybody who reaches the port the owner, and others may come "
            "{way}. Leave one of the two out.",
            way=Phrase("through the proxy") if proxy else Phrase("to {host}", host=host),
        )
    nobody = not user_header and not any(one.password or one.link for one in everybody)
    if nobody and not is_loopback(host):
        raise AccessError(
            "{host} may be reached from elsewhere, and nobody has a password yet. Set the owner's first: "
            "m2n2 studio password. Or let a proxy say who is logged in: --proxy ADDRESS --user-header NAME.",
            host=host,
        )
    return Door(
        people,
        Audit(people.path.with_name("audit.jsonl")),
        secrets.token_urlsafe(32) if with_token else None,
        frozenset(one.lower() for one in names),
        proxy,
        user_header.lower() if user_header else None,
    )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in LOOPBACK_NAMES


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
