"""What is appended comes back in order, whatever happened to the file in between."""

import threading

import filelock
import pytest
from typing_extensions import TypedDict

from studio.errors import RunError
from studio.journal import Journal, Moment


def test_events_come_back_in_the_order_they_were_said(tmp_path):
    journal = Journal(tmp_path / "new" / "votes.jsonl")
    assert journal.events() == []
    journal.append({"who": "美咲", "said": 1})
    journal.append({"who": "Ken", "said": 2})
    assert journal.events() == [{"who": "美咲", "said": 1}, {"who": "Ken", "said": 2}]
    assert journal.path.read_text("utf-8").splitlines()[0] == '{"who":"美咲","said":1}'


def test_a_line_cut_short_costs_that_event_alone(tmp_path):
    journal = Journal(tmp_path / "votes.jsonl")
    journal.append({"said": 1})
    with open(journal.path, "ab") as file:
        file.write(b'{"said": 2, "wh')
    journal.append({"said": 3})
    assert [event["said"] for event in journal.events()] == [1, 3]


def test_several_at_once_lose_nothing(tmp_path):
    journal = Journal(tmp_path / "votes.jsonl")
    threads = [
        threading.Thread(target=lambda k=k: [journal.append({"said": 10 * k + n}) for n in range(10)]) for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["said"] for event in journal.events()) == list(range(40))


def test_a_line_that_is_being_written_is_waited_for(tmp_path, caplog):
    """A line that lies across two pages of memory can be seen before its end is there."""
    journal = Journal(tmp_path / "votes.jsonl")
    journal.append({"said": 1})
    heard = []
    reader = threading.Thread(target=lambda: heard.extend(journal.events()))
    with filelock.FileLock(tmp_path / "votes.lock"), open(journal.path, "ab", buffering=0) as file:
        file.write(b'{"said"')
        reader.start()
        reader.join(timeout=0.2)
        file.write(b":2}\n")
    reader.join()
    assert heard == [{"said": 1}, {"said": 2}]
    assert caplog.text == ""


def test_a_journal_in_a_folder_that_takes_no_lock_is_read(tmp_path):
    journal = Journal(tmp_path / "votes.jsonl")
    journal.path.write_bytes(b'{"said": 1}\n{"sai')
    (tmp_path / "votes.lock").mkdir()
    assert journal.events() == [{"said": 1}]


class Said(TypedDict):
    who: str
    when: Moment


ODD = [
    *("null", "[1]", "7", '"x"', "{", "\x00", "[" * 100_000),
    *('{"who":1,"when":"2026-01-02"}', '{"who":"a"}', '{"who":"a","when":"soon"}'),
    '{"who":"\\ud800","when":"2026-01-02"}',
    '{"who":"a","when":"2026-01-02","x":' + "9" * 5000 + "}",
]


def test_odd_lines_cost_themselves_alone_and_are_told_of(tmp_path, caplog):
    journal = Journal(tmp_path / "votes.jsonl", Said)
    journal.append({"who": "美咲", "when": "2026-01-02T03:04:05"})
    with open(journal.path, "ab") as file:
        file.write("".join(f"{line}\n" for line in ODD).encode() + b"\xff\xfe\n\n")
    journal.append({"who": "Ken", "when": "2026-01-02", "more": 1})
    for _ in range(2):
        assert [event["who"] for event in journal.events()] == ["美咲", "Ken"]
    assert journal.events()[1]["more"] == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{journal.path}: {len(ODD) + 1} lines are no events and were skipped"
    ]


def test_half_a_letter_is_written_as_a_question_mark(tmp_path):
    journal = Journal(tmp_path / "votes.jsonl")
    journal.append({"who": "a\ud800"})
    assert journal.events() == [{"who": "a?"}]


def test_a_journal_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.journal.MOST_BYTES", 9)
    journal = Journal(tmp_path / "votes.jsonl")
    journal.append({"who": "somebody"})
    with pytest.raises(RunError, match="more than 9 bytes"):
        journal.events()
