"""`m2n2 studio password`, `add`, `invite`, `remove`, `people`: what they print, and what they leave on the list."""

import io
from datetime import UTC, datetime

import pytest

from studio.access.door import people_of
from studio.access.passwords import is_password
from studio.access.people import fingerprint

PASSWORD = "three plain words"


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def typed(monkeypatch):
    """Lets a program type a line."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))


def test_the_owners_password_is_set_and_changed(m2n2, runs, typed):
    for password in (PASSWORD, "another three words"):
        typed(password)
        done = m2n2("studio", "--runs", runs, "password")
        assert (done.returncode, done.stderr) == (0, "")
        assert password not in done.stdout
    (owner,) = people_of(runs).everybody()
    assert (owner.name, owner.role) == ("owner", "owner")
    assert is_password(owner.password, "another three words")


def test_people_are_added_listed_and_removed(m2n2, runs, typed):
    typed(PASSWORD)
    assert m2n2("studio", "add", "Aiko", "--role", "editor", "--runs", runs).stdout == "Aiko may come in as editor.\n"
    m2n2("studio", "add", "Ken", "--role", "viewer", "--no-password", "--runs", runs)
    listed = m2n2("studio", "people", "--runs", runs).stdout
    assert listed == "Aiko\teditor\tpassword\nKen\tviewer\tproxy\n"
    assert m2n2("studio", "remove", "aiko", "--runs", runs).returncode == 0
    assert [one.name for one in people_of(runs).everybody()] == ["Ken"]


def test_an_invitation_is_a_link_on_stdout(m2n2, runs):
    done = m2n2("studio", "invite", "Kenji", "--days", 2, "--at", "https://studio.example.org/", "--runs", runs)
    address, _, token = done.stdout.strip().partition("?token=")
    assert address == "https://studio.example.org/"
    (kenji,) = people_of(runs).everybody()
    assert (kenji.role, kenji.link) == ("judge", fingerprint(token))
    assert 1.9 < (kenji.until - datetime.now(UTC)).total_seconds() / 86400 < 2


def test_what_is_not_fit_is_one_line_and_exit_code_1(m2n2, runs, typed):
    typed("short")
    done = m2n2("studio", "password", "--runs", runs)
    assert (done.returncode, done.stdout) == (1, "")
    assert "5 letters was given. Expected 10 to 200" in done.stderr
    assert "nobody called 'Aiko'" in m2n2("studio", "remove", "Aiko", "--runs", runs).stderr
    done = m2n2("studio", "--host", "0.0.0.0", "--runs", runs)
    assert done.returncode == 1
    assert "m2n2 studio password" in done.stderr
