"""Steering a run that goes on: from the next child on, recorded, resumed to the last bit, taken back."""

from studio.execution import control
from studio.execution.creation import create_run
from studio.execution.steering import RunSteering
from studio.judging.annotations import reject, star
from studio.judging.steering import ask_to_steer, ask_to_steer_no_more
from studio.runs.status import ask_to_stop
from tests.conftest import without_report

REJECTED = ("base", "ja")


def steered_after(made, *, until=None, stop=None):
    """Reject two of the sources once there are so many children; take that back, or stop, at others."""

    def watch(store):
        without_report(store)
        count = store.count()
        if count == made and store.state.steer is None:
            for one in store.sources():
                (reject if one.id in REJECTED else star)(store, one, "Aya", on=True)
            ask_to_steer(store, "Aya")
        if count == until:
            ask_to_steer_no_more(store, "Ken")
        if count == stop:
            ask_to_stop(store)

    return watch


def carried(folder, config, *watches):
    store = create_run(folder, config)
    for watch in watches:
        control.carry_out(store, watch)
    return store


def test_a_steered_run_is_resumed_to_the_last_bit_and_unsteered_one_is_the_paper_s(tmp_path, small_config):
    config = small_config.model_copy(update={"evaluations": 6, "archive": 12})
    plain = carried(tmp_path / "plain", config, without_report)
    whole = carried(tmp_path / "whole", config, steered_after(2, until=5))
    cut = carried(tmp_path / "cut", config, steered_after(2, stop=4), steered_after(2, until=5))
    bred = {store: [one.recipe.digest for one in store.individuals()] for store in (plain, whole, cut)}
    assert bred[whole] == bred[cut]
    assert bred[whole][:6] == bred[plain][:6]  # four sources and two children
    assert bred[whole] != bred[plain]
    first, last = cut.state.steered
    assert (first.first, first.by, last.first, last.favour) == (3, "Aya", 6, {})
    assert first.favour == {"base": 0.0, "ja": 0.0, "flat": 5.0, "real": 5.0}
    for one in whole.individuals()[6:9]:  # children 3 to 5
        assert not {one.mother, one.father} & set(REJECTED)
    assert plain.state.steered == ()
    for store in (plain, whole, cut):
        store.close()


def test_what_no_child_was_bred_by_is_no_part_of_the_record(tmp_path, small_config):
    store = create_run(tmp_path / "run", small_config)
    store.update(steer={"by": "Aya", "favour": {"ja": 2.0}})
    assert RunSteering(store)(3) == {"ja": 2.0}
    assert RunSteering(store)(2) == {}
    store.update(steer={"by": "Ken", "favour": {}})  # and the process was killed before child 3 was measured
    assert RunSteering(store)(3) == {}
    assert store.state.steered == ()
    store.close()
