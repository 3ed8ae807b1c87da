"""What is appended comes back in order, whatever happened to the file in between."""

import threading

from studio.journal import Journal


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
