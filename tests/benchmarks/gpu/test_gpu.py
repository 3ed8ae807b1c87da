"""The GPU benchmark runs on any machine with the embedded family, and a part that fails costs no other."""

import json

import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.bench import Bench, machine
from benchmarks.gpu.report import Report


def test_every_part_but_the_compiler_runs_on_the_embedded_family(tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "cache"))  # which the program moves
    out = tmp_path / "gpu.json"
    parts = ["weaving", "evaluation", "offloading"]
    gpu.main(["--size", "embedded", "--minutes", "5", "--out", str(out), "--folder", str(tmp_path), "--parts", *parts])
    sections = {section["title"].split(":")[0]: section for section in json.loads(out.read_text("utf-8"))["sections"]}
    assert not [note for section in sections.values() for note in section["notes"] if "ended with" in note]
    woven = sections["Weaving in place"]
    assert [row[0] for row in woven["rows"] if row[2] != "the kernel alone"][:1] == [2]
    assert any(": 0 of" in note and "differ" in note for note in woven["notes"])
    evaluated = sections["An evaluation"]
    assert sorted(row[0] for row in evaluated["rows"]) == [1, 2, 4]
    for row in evaluated["rows"]:
        assert sum(row[2:8]) == pytest.approx(row[1])  # the parts are the whole
        assert min(row[2:7]) > 0
    planned = sections["The device plan against measured peaks"]["rows"]
    assert sorted(row[0] for row in planned) == [1, 1, 1, 2, 2, 2, 4, 4, 4]
    assert all(row[2] > 0 and (row[3] == "not measured" or row[3] > 0) for row in planned)
    assert all(row[-1] == "drawn" for row in sections["Offloading under a limit"]["rows"])


def test_a_part_that_fails_is_a_note(tmp_path, capsys):
    report = Report(tmp_path / "gpu.md", "A machine")
    bench = Bench(machine(), report, tmp_path, full=False)

    def fails(bench):
        bench.report.begin("First", ("what", "how much"))
        bench.report.row("one", 1234.5)
        raise ValueError("no such thing")

    gpu.run_part(bench, "first", fails)
    bench.give(0.0)
    gpu.run_part(bench, "second", fails)
    capsys.readouterr()
    assert (tmp_path / "gpu.md").read_text("utf-8").split("\n\n") == [
        "# A machine",
        "## First",
        "| what | how much |\n| --- | --- |\n| one | 1,234 |",
        "This part ended with ValueError: no such thing",
        "## second",
        "No time was left for this part.\n",
    ]
