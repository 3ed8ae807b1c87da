"""The Monitor page's functions without a browser."""

import pytest

from pipelines.errors import ExportError
from studio.errors import RunError
from studio.exporting import registry
from studio.exporting.certificate import CERTIFICATE_FILE
from studio.exporting.export_plan import plan_export
from studio.exporting.registry import open_export
from studio.i18n import LANGUAGES
from studio.monitoring.remeasure import journal, measure
from studio.monitoring.scheduler import start_measurement
from studio.ui.monitor import measurements
from studio.ui.monitor import page as monitor


@pytest.fixture
def watched(finished, tmp_path):
    """An export of the finished run, in a place of its own."""
    with finished.run("first") as store:
        return open_export(plan_export(store, "0001", tmp_path / "hotaru").write().path)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_before_it_is_measured_its_birth_is_shown(watched, lang):
    seen = measurements.export_view(lang, watched)
    assert seen.can_measure
    assert not seen.going_on
    assert seen.pairs == ""
    assert len(seen.plot) == 3  # a line for each language and consistency
    assert seen.certificate["run"] == "first"
    (row,) = measurements.rows(lang, watched.path.parent)
    assert row[:2] == ["hotaru", "first / 0001"]
    assert len(row) == len(measurements.header(lang))


def test_measured_it_is_the_same_bits(watched):
    measure(watched)
    seen = measurements.export_view("en", watched)
    assert 'class="verdict equal"' in seen.verdict
    assert "Numerical noise, from 1 repeats" in seen.verdict
    assert len(seen.plot) == 6
    assert measurements.rows("ja", watched.path.parent)[0][6] == "同一"


def test_what_changed_is_shown_with_pictures_then_and_now(watched):
    event = measure(watched)
    event["scores"]["ja"][2] = [value + 0.25 for value in event["scores"]["ja"][2]]
    prompt = watched.certificate.prompts.prompts[2]
    event["pictures"] = {f"{prompt.id}-ja": f"x/{prompt.id}-ja.webp"}
    event["environment"]["torch"], event["repeat"] = "99", None
    journal(watched).append(event)
    seen = measurements.export_view("en", watched)
    assert 'class="verdict changed"' in seen.verdict
    assert "→ 99" in seen.verdict
    assert seen.pairs.count("<article") == 1
    assert prompt.ja in seen.pairs
    assert f"/pictures/export/hotaru/birth/{prompt.id}-ja.webp" in seen.pairs
    assert f"/pictures/export/hotaru/x/{prompt.id}-ja.webp" in seen.pairs


def test_one_without_a_certificate_is_listed_and_says_what_to_do(watched):
    (watched.documents / CERTIFICATE_FILE).unlink()
    export = open_export(watched.path)
    seen = measurements.export_view("en", export)
    assert not seen.can_measure
    assert "m2n2 verify" in seen.verdict
    assert measurements.rows("en", watched.path.parent)[0][6] == "no certificate"
    with pytest.raises(ExportError, match="birth"):
        start_measurement(export)


def test_only_exports_that_are_listed_reach_the_disk(finished):
    for name in ("../runs", "", None, "/etc"):
        with pytest.raises(RunError, match="no export called"):
            monitor.found(finished, name)


def test_the_one_in_use_is_named_in_the_list_with_its_history(watched):
    folder = watched.path.parent
    registry.put_in_use(folder, "hotaru")
    assert measurements.labels("en", folder) == [("hotaru (in use)", "hotaru")]
    assert measurements.rows("en", folder)[0][6].startswith("in use")
    assert [row[1:] for row in measurements.choices(folder)] == [["hotaru", "–"]]
    assert str(watched.path) in monitor.command(watched)
