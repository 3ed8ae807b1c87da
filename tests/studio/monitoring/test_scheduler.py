"""Exports measured again: the same bits, a damaged file, stop, schedules."""

import json
import os
import time
from datetime import timedelta

import pytest

from pipelines.errors import ExportError
from studio.errors import RunError
from studio.exporting.certificate import BirthCertificate
from studio.exporting.export_plan import plan_export
from studio.exporting.registry import open_export
from studio.jobs.device_queue import acquire_device
from studio.jobs.process import Stopped
from studio.monitoring import remeasure as measuring
from studio.monitoring.drift import drift
from studio.monitoring.remeasure import journal, measure
from studio.monitoring.scheduler import (
    ask_measurement_to_stop,
    carry_out_measurement,
    is_due,
    is_measuring,
    measurement_status,
    schedule_of,
    set_schedule,
    start_due,
    start_measurement,
)

# Its form makes no difference to a process, and a process takes seconds to begin.
one_form = pytest.mark.parametrize("either", ["momiji"], indirect=True)


def until(export, reached, seconds=120):
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, (export.monitor / "monitor.log").read_text("utf-8")
        time.sleep(0.05)


def wait_for_the_end(export):
    """Until its process is through: tests leave nothing running."""
    until(export, lambda: is_measuring(export) or measurement_status(export)["state"] == "done")
    until(export, lambda: not is_measuring(export))


@one_form
@pytest.mark.slow
def test_the_studios_own_scorer_is_found_wherever_the_studio_lies_now(own_copy):
    """As after the checkout was moved, or on another machine."""
    file = own_copy.documents / "birth.json"
    file.write_bytes(own_copy.certificate.portable.to_json())
    carry_out_measurement(own_copy)
    assert drift(own_copy.certificate, journal(own_copy).events()).verdict == "equal"


def test_measured_again_every_score_is_the_same_bits(own_copy):
    told = []
    event = carry_out_measurement(own_copy, lambda *now: told.append(now))
    found = drift(own_copy.certificate, journal(own_copy).events())
    assert found.verdict == "equal"
    assert event["scores"]["en"] == own_copy.certificate.scores["en"]
    assert found.repeats == 1  # the first time it is drawn twice, to know what noise is
    assert set(found.noise) == {"ja", "en", "consistency"}
    assert event["pictures"] == {}
    pictures = [now for now in told if now[0] == "pictures"]
    assert pictures[-1] == ("pictures", 20, 20)
    assert measurement_status(own_copy)["state"] == "done"
    again = carry_out_measurement(own_copy)
    assert again["repeat"] is None
    assert drift(own_copy.certificate, journal(own_copy).events()).verdict == "equal"


def test_a_damaged_file_is_found_and_not_scored(own_copy):
    file = own_copy.path / "unet" / "diffusion_pytorch_model.safetensors" if own_copy.path.is_dir() else own_copy.path
    stat = file.stat()
    with open(file, "r+b") as opened:  # one bit of one weight, with the times left as they were
        opened.seek(-5, 2)
        byte = opened.read(1)[0]
        opened.seek(-5, 2)
        opened.write(bytes([byte ^ 1]))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    event = measure(own_copy)
    (name,) = event["damaged"]
    assert name.endswith(file.name)
    assert "scores" not in event
    found = drift(own_copy.certificate, journal(own_copy).events())
    assert found.verdict == "damaged"


def test_a_missing_file_is_damage(own_copy):
    name = next(name for name in own_copy.certificate.files if name.endswith("vocab.json"))
    own_copy.file(name).unlink()
    assert measuring.damage(own_copy) == {name: "missing"}


def test_other_weights_under_true_hashes_have_changed_with_pictures(bred, tmp_path):
    """A certificate whose scores are another individual's: what a changed scorer or program would look like."""
    shipped = plan_export(bred, "0001", tmp_path / "out").write()
    export = open_export(shipped.path)
    content = json.loads((export.documents / "birth.json").read_text("utf-8"))
    content["scores"] = {kind: bred.individual("flat").scores[kind].tolist() for kind in ("ja", "en", "consistency")}
    (export.documents / "birth.json").write_bytes(BirthCertificate.model_validate(content).to_json())
    event = measure(open_export(export.path))
    found = drift(open_export(export.path).certificate, [event])
    assert found.verdict == "changed"
    assert found.order
    assert set(event["pictures"]) == {
        f"{export.certificate.prompts.ids[row]}-{lang}"
        for row in found.order[: measuring.SHOWN]
        for lang in ("ja", "en")
    }
    assert all((export.monitor / place).is_file() for place in event["pictures"].values())


def test_another_scorer_under_the_same_name_is_refused(own_copy):
    content = json.loads((own_copy.documents / "birth.json").read_text("utf-8"))
    content["scorer"]["sha256"] = "0" * 64
    (own_copy.documents / "birth.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(ExportError, match="Expected the same scorer"):
        carry_out_measurement(open_export(own_copy.path))
    assert measurement_status(own_copy)["state"] == "failed"
    assert "same scorer" in measurement_status(own_copy)["error"]
    assert journal(own_copy).events() == []


def test_stopped_it_records_nothing(own_copy):
    def stop(stage, done, of):
        ask_measurement_to_stop(own_copy)

    with pytest.raises(Stopped):
        carry_out_measurement(own_copy, stop)
    assert journal(own_copy).events() == []
    assert measurement_status(own_copy)["state"] == "stopped"


@one_form
@pytest.mark.slow
def test_in_a_process_of_its_own_one_at_a_time(own_copy):
    start_measurement(own_copy)
    until(own_copy, lambda: is_measuring(own_copy))
    with pytest.raises(RunError, match="being measured already"):
        start_measurement(own_copy)
    wait_for_the_end(own_copy)
    assert measurement_status(own_copy)["state"] == "done"
    assert drift(own_copy.certificate, journal(own_copy).events()).verdict == "equal"


def test_the_command_says_what_changed_and_ends_with_an_error(m2n2, own_copy):
    done, told = m2n2("monitor", own_copy.path, "--json", json_output=True)
    assert (done.returncode, told["verdict"]) == (0, "equal")
    assert "bit for bit" in m2n2("monitor", own_copy.path).stdout
    (own_copy.file(next(name for name in own_copy.certificate.files if name.endswith("vocab.json")))).write_text("{}")
    done = m2n2("monitor", own_copy.path)
    assert done.returncode == 1
    assert "DAMAGED" in done.stdout


def test_a_schedule_is_due_a_period_after_the_last_measurement(own_copy):
    born = own_copy.certificate.exported
    assert schedule_of(own_copy) == "off"
    assert not is_due(own_copy, born + timedelta(days=30))
    set_schedule(own_copy, "daily")
    assert not is_due(own_copy, born + timedelta(hours=23))
    assert is_due(own_copy, born + timedelta(hours=25))
    set_schedule(own_copy, "weekly")
    assert not is_due(own_copy, born + timedelta(days=6))
    later = born + timedelta(days=8)
    assert is_due(own_copy, later)
    journal(own_copy).append({"when": later.isoformat(), "damaged": {"x": "missing"}, "environment": {}})
    assert not is_due(own_copy, later + timedelta(days=1))
    with pytest.raises(ExportError, match="no schedule"):
        set_schedule(own_copy, "hourly")


@one_form
@pytest.mark.slow
def test_what_is_due_is_started_and_nothing_before_its_time(own_copy, forked):
    set_schedule(own_copy, "daily")
    assert start_due(own_copy.path.parent) == []
    content = json.loads((own_copy.documents / "birth.json").read_text("utf-8"))
    content["exported"] = (own_copy.certificate.exported - timedelta(days=2)).isoformat()
    (own_copy.documents / "birth.json").write_text(json.dumps(content), "utf-8")
    (started,) = start_due(own_copy.path.parent)
    assert started.name == own_copy.name
    assert start_due(own_copy.path.parent) == []  # one that was begun within the hour is not begun again
    wait_for_the_end(own_copy)


@one_form
@pytest.mark.slow
def test_it_waits_for_its_turn_on_the_machine(own_copy, forked):
    with acquire_device(lambda _: None):
        start_measurement(own_copy)
        until(own_copy, lambda: measurement_status(own_copy)["state"] == "queued")
        assert measurement_status(own_copy)["before"] == 1
        ask_measurement_to_stop(own_copy)
        until(own_copy, lambda: measurement_status(own_copy)["state"] == "stopped")
    assert journal(own_copy).events() == []
