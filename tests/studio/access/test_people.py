"""The people of a studio: who is on the list, what is kept of how they come in, what happens to a damaged list."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from studio.access.passwords import is_password
from studio.access.people import LONGEST_NAME, People, fingerprint
from studio.access.roles import ROLES, may
from studio.errors import AccessError

PASSWORD = "three plain words"


@pytest.fixture
def people(tmp_path):
    return People(tmp_path / "access" / "people.json")


def test_each_role_may_what_the_one_before_may():
    allowed = [[may(role, needed) for needed in ROLES] for role in ROLES]
    assert ROLES == ("viewer", "judge", "editor", "owner")
    assert allowed == [[column <= row for column in range(4)] for row in range(4)]


def test_a_password_is_kept_as_its_argon2id_hash_alone(people):
    people.add("Aiko", "editor", PASSWORD)
    text = people.path.read_text("utf-8")
    assert PASSWORD not in text
    assert json.loads(text)["people"][0]["password"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    kept = people.find("Aiko").password
    assert is_password(kept, PASSWORD)
    assert not is_password(kept, PASSWORD + "!")
    assert not is_password(None, PASSWORD)
    assert not is_password("no hash", PASSWORD)


@pytest.mark.parametrize("length", [0, 9, 201])
def test_a_password_that_is_too_short_or_too_long_is_refused_and_not_quoted(people, length):
    with pytest.raises(AccessError, match=rf"{length} letters was given. Expected 10 to 200") as caught:
        people.add("Aiko", "editor", "x" * length)
    assert "xxx" not in str(caught.value)
    assert people.everybody() == ()


def test_an_invitation_is_kept_as_its_hash_and_ends(people):
    token = people.invite("Kenji", "judge", days=3)
    text = people.path.read_text("utf-8")
    assert token not in text
    assert hashlib.sha256(token.encode()).hexdigest() in text
    now = datetime.now(UTC)
    assert people.by_link(token, now).name == "Kenji"
    assert people.by_link(token, now + timedelta(days=2.9)).role == "judge"
    assert people.by_link(token, now + timedelta(days=3.1)) is None
    assert people.by_link("other", now) is None


def test_one_name_is_one_person_however_it_is_written(people):
    people.add("Aiko  Mori ", "judge", PASSWORD)
    assert people.find("aiko mori").name == "Aiko Mori"
    assert people.find("ＡＩＫＯ ＭＯＲＩ").name == "Aiko Mori"  # full-width letters
    with pytest.raises(AccessError, match="somebody called 'AIKO MORI' already"):
        people.invite("AIKO MORI", "owner")


@pytest.mark.parametrize("name", ["", "   ", "a" * (LONGEST_NAME + 1), "a\x00b", "a\u202eb"])
def test_what_is_no_name_is_refused(people, name):
    with pytest.raises(AccessError, match="is no name"):
        people.add(name, "viewer", PASSWORD)


def test_a_password_is_changed_and_a_person_removed_by_another_process(people):
    other = People(people.path)
    people.add("Aiko", "judge", PASSWORD)
    before = people.find("Aiko").password
    other.set_password("aiko", "another three words")
    assert people.find("Aiko").role == "judge"
    assert people.find("Aiko").password != before
    other.remove("AIKO")
    assert people.everybody() == ()
    with pytest.raises(AccessError, match="nobody called 'Aiko'. Expected one of: nobody yet"):
        other.set_password("Aiko", PASSWORD)
    with pytest.raises(AccessError, match="nobody called 'Aiko'"):
        other.remove("Aiko")


def test_people_who_are_added_at_the_same_moment_are_all_there(people):
    threads = [threading.Thread(target=people.invite, args=(f"one {n}", "viewer")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.name for one in people.everybody()] == [f"one {n}" for n in range(8)]


@pytest.mark.parametrize("content", ["", "{", '{"format": "m2n2-people", "version": 2}', '{"people": [{"name": "x"}]}'])
def test_a_damaged_list_lets_nobody_in_and_is_not_quoted(people, content):
    people.invite("Kenji", "judge")
    people.path.write_text(content + " ", "utf-8")
    with pytest.raises(AccessError, match="Nobody is let in by it"):
        people.everybody()


def test_the_folder_is_private(people):
    people.invite("Kenji", "judge")
    assert people.path.parent.stat().st_mode & 0o777 == 0o700


def test_what_is_kept_of_a_token_is_its_sha256():
    assert fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
