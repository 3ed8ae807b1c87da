"""The door: what opens it, for how long, and what is written down."""

import dataclasses

import pytest

from studio.access.door import TooManyFailures, is_loopback, open_door, people_of
from studio.access.sessions import LASTS, PER_ADDRESS, PER_NAME, WINDOW, Failures, Sessions
from studio.errors import AccessError

PASSWORD = "three plain words"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def door(runs):
    return open_door(runs, "127.0.0.1")


def by(door, *, cookie=None, bearer=None, proxy=None):
    visitor = door.visitor(cookie=cookie, bearer=bearer, said_by_proxy=proxy)
    return visitor and (visitor.name, visitor.role)


def test_the_token_is_the_owners_and_new_each_time(door, runs):
    other = open_door(runs, "127.0.0.1")
    assert door.token != other.token
    assert len(door.token) >= 43  # 256 bits
    assert by(door, bearer=door.token) == (None, "owner")
    assert by(door, cookie=door.enter(door.token)) == (None, "owner")
    assert by(door, bearer=other.token) is None
    assert door.enter(other.token) is None
    assert by(door) is None
    assert by(door, cookie=door.token) is None  # a cookie is a session, not the token


def test_without_a_token_everybody_here_is_the_owner(runs):
    assert by(open_door(runs, "localhost", with_token=False)) == (None, "owner")


def test_a_session_ends_with_what_it_began_with(door):
    door.people.add("Aiko", "editor", PASSWORD)
    link = door.people.invite("Kenji", "judge")
    aiko, kenji = door.log_in("aiko", PASSWORD, "1.2.3.4"), door.enter(link)
    assert by(door, cookie=aiko) == ("Aiko", "editor")
    assert by(door, cookie=kenji) == ("Kenji", "judge")
    door.people.set_password("Aiko", "another three words")
    assert by(door, cookie=aiko) is None
    door.people.remove("Kenji")
    assert by(door, cookie=kenji) is None
    again = door.log_in("Aiko", "another three words", "1.2.3.4")
    door.leave(again)
    assert by(door, cookie=again) is None


def test_a_role_that_changed_holds_at_once(door):
    link = door.people.invite("Kenji", "judge")
    session = door.enter(link)
    door.people.remove("Kenji")
    door.people.invite("Kenji", "owner")  # another link: the former one opens nothing
    assert by(door, cookie=session) is None
    assert by(door, bearer=link) is None


def test_whom_a_proxy_names_has_the_role_of_the_list(runs):
    people_of(runs).add("aiko", "editor", None)
    door = open_door(runs, "0.0.0.0", proxy="127.0.0.1", user_header="X-User")
    assert by(door, proxy="Aiko") == ("aiko", "editor")
    assert by(door, proxy="stranger") is None
    assert door.log_in("aiko", "", "1.2.3.4") is None  # no password is not an empty one


@pytest.mark.parametrize(
    ("host", "options", "message"),
    [
        ("0.0.0.0", {}, "nobody has a password yet.*m2n2 studio password"),
        ("192.168.1.5", {}, "nobody has a password yet"),
        ("0.0.0.0", {"with_token": False}, "--no-token makes everybody"),
        ("127.0.0.1", {"with_token": False, "proxy": "127.0.0.1"}, "--no-token makes everybody.*through the proxy"),
        ("127.0.0.1", {"user_header": "X-User"}, "--proxy 127.0.0.1"),
        ("127.0.0.1", {"proxy": "proxy.local"}, "no address of a proxy"),
    ],
)
def test_a_door_that_would_stand_open_is_refused(runs, host, options, message):
    with pytest.raises(AccessError, match=message):
        open_door(runs, host, **options)


def test_a_password_opens_it_to_the_network(runs):
    people_of(runs).set_password("owner", PASSWORD, role="owner")
    assert open_door(runs, "0.0.0.0").token


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_what_is_reached_from_here_alone(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("name", "answers"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("192.168.7.9", True), ("studio.example.org", True),
     ("STUDIO.example.org.", True), ("rebound.example.com", False), ("localhost.example.com", False), ("", False)],
)  # fmt: skip
def test_the_names_it_answers_to(runs, name, answers):
    assert open_door(runs, "127.0.0.1", names=["studio.example.org"]).answers_to(name) is answers


def test_failures_are_counted_by_address_and_by_name():
    clock = Clock()
    failures = Failures(clock)
    for _ in range(PER_ADDRESS):
        assert failures.wait("1.2.3.4", "aiko") == 0
        failures.note("1.2.3.4", "aiko")
    assert failures.wait("1.2.3.4", "another") == WINDOW
    assert failures.wait("5.6.7.8", "AIKO") == 0
    clock.now += WINDOW - 1
    assert failures.wait("1.2.3.4", "aiko") == 1
    clock.now += 1
    assert failures.wait("1.2.3.4", "aiko") == 0
    for n in range(PER_NAME):
        failures.note(f"10.0.0.{n}", "Aiko")
    assert failures.wait("5.6.7.8", "aiko") == WINDOW


def test_too_many_failures_are_refused_before_anything_is_compared(door):
    door.people.add("Aiko", "editor", PASSWORD)
    assert door.log_in("Aiko", PASSWORD, "1.2.3.4")
    for _ in range(PER_ADDRESS):
        door.failures.note("1.2.3.4", "somebody")
    with pytest.raises(TooManyFailures, match="Try again in 10 minutes"):
        door.log_in("Aiko", PASSWORD, "1.2.3.4")
    assert door.log_in("Aiko", PASSWORD, "5.6.7.8")


def test_a_session_ends_when_nobody_used_it_for_long():
    clock = Clock()
    sessions = Sessions(clock)
    token = sessions.begin("Aiko", None)
    clock.now += LASTS
    assert sessions.get(token).name == "Aiko"
    clock.now += LASTS + 1
    assert sessions.get(token) is None


def test_what_is_written_down_holds_no_secret(door):
    door.people.add("Aiko", "editor", PASSWORD)
    door.log_in("Aiko", PASSWORD, "1.2.3.4")
    door.log_in("Aiko", "wrong password", "1.2.3.4")
    door.log_in(PASSWORD, "typed into the wrong field", "1.2.3.4")
    door.enter(door.token)
    lines = [{key: value for key, value in line.items() if key != "time"} for line in door.audit.lines()]
    refused = {"role": None, "what": "log in", "refused": "wrong name or password"}
    assert lines == [
        {"who": "Aiko", "role": "editor", "what": "log in"},
        {"who": "Aiko", **refused},
        {"who": "(stranger)", **refused},
        {"who": "(token)", "role": "owner", "what": "come in"},
    ]


def test_two_studios_on_one_host_have_cookies_of_their_own(door, tmp_path):
    assert door.cookie != open_door(tmp_path / "other" / "runs", "127.0.0.1").cookie
    assert dataclasses.replace(door, token=None).cookie == door.cookie
