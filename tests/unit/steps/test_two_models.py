"""Two models on one repository: neither touches, nor takes for its own, what is the other's."""

from __future__ import annotations

import random

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, retention
from coordinator.steps.backup_set import set_objects
from tests import simulation, two_models

Both = tuple[simulation.Simulation, simulation.Simulation]


@pytest.fixture
def both() -> Both:
    return two_models.deployed()


def assert_own_set(sim: simulation.Simulation) -> None:
    """Check that an operation's set is complete and contains only its own parts."""
    assert (sim.op.status, sim.op.error) == (operation.COMPLETE, '')
    store = sim.world.maas_store
    found = catalogue.opened(store, sim.op.backup_id)
    assert found.model.uuid == sim.model.uuid
    assert found.maas.controllers == tuple(sorted(sim.site.database['controllers']))
    assert list(set_objects.findings(found, store, sim.world).wrong) == []


@pytest.mark.parametrize('seed', range(12))
def test_backups_that_begin_in_the_same_second_end_as_two_sets(both: Both, seed: int):
    draw = random.Random(seed)
    two_models.take_turns(both, [draw.randrange(2) for _ in range(30)])
    for sim in both:
        assert_own_set(sim)
    assert both[0].op.backup_id != both[1].op.backup_id


def test_backups_that_begin_in_the_same_second_and_run_one_after_the_other_are_two_sets(
    both: Both,
):
    for sim in both:
        sim.run()
    for sim in both:
        assert_own_set(sim)


@pytest.mark.parametrize('after', range(0, 14))
def test_an_undo_leaves_the_set_of_the_other_model_alone(both: Both, after: int):
    one, two = both
    two_models.take_turns_for(both, after)
    if not one.op.open:
        pytest.skip('it is over by then')
    one.op = one.op.aborting(one.clock.now())
    two_models.take_turns(both, ())
    assert one.op.status == operation.ABORTED
    assert_own_set(two)
    listed = catalogue.with_failed(two.world.maas_store)
    assert [(entry.model_uuid, entry.state) for entry in listed] == [
        (two.model.uuid, retention.COMPLETE)
    ]


def test_a_backup_that_had_to_take_a_later_id_keeps_to_it(both: Both):
    two_models.take_turns(both, ())
    moved = next(sim for sim in both if sim.op.backup_id != sim.op.id)
    assert operation.Operation.from_json(moved.op.to_json()).backup_id == moved.op.backup_id
    assert moved.op.backup_id > moved.op.id
