"""A backup on a replica that becomes the primary meanwhile: the operation says what to do."""

from __future__ import annotations

import pytest

from coordinator.engine import operation
from tests import simulation


@pytest.fixture
def sim() -> simulation.Simulation:
    """A site whose database is being backed up on postgresql/1."""
    replica = simulation.Simulation(strategy='replica', regions=1)
    replica.until(lambda: replica.tasks('create-backup', 'postgresql'))
    assert replica.tasks('create-backup', 'postgresql')[0].unit == 'postgresql/1'
    return replica


def test_without_a_failover_there_is_nothing_to_tell(sim: simulation.Simulation):
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())


def test_after_a_failover_to_the_unit_that_backs_up_the_set_is_good_and_the_cure_is_named(
    sim: simulation.Simulation,
):
    sim.until(lambda: sim.tasks('create-backup', 'postgresql')[0].status == 'running')
    sim.site.postgresql.update(primary='postgresql/1')
    op = sim.run()
    assert op.status == operation.COMPLETE
    (problem,) = op.problems
    assert 'postgresql/1 made the backup and has become the primary' in problem
    assert 'juju run postgresql/0 promote-to-primary scope=unit' in problem


def test_a_failover_to_a_third_unit_is_none_of_that(sim: simulation.Simulation):
    sim.until(lambda: sim.tasks('create-backup', 'postgresql')[0].status == 'running')
    sim.site.postgresql.update(primary='postgresql/2')
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())


def test_that_it_cannot_be_asked_costs_no_backup(sim: simulation.Simulation):
    sim.database.fail_next('get-primary', 'Patroni does not answer')
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert len(sim.tasks('create-backup', 'postgresql')) == 1


def test_a_unit_that_is_lost_before_it_can_say_who_the_primary_is_costs_no_backup(
    sim: simulation.Simulation,
):
    sim.until(lambda: sim.tasks('create-backup', 'postgresql')[0].status == 'running')
    sim.model.set_agent_status(sim.model.unit('postgresql/0'), 'lost')
    sim.until(lambda: sim.op.step != 'back-up-postgresql')
    assert sim.op.entry('back-up-postgresql').state == operation.DONE
    assert 'the agent of postgresql/0 has been lost' in sim.op.problems[0]
    assert sim.op.age < 15 * 60


def test_what_ends_the_backup_later_is_its_error_and_not_what_was_left_before(
    sim: simulation.Simulation,
):
    sim.until(lambda: sim.tasks('create-backup', 'postgresql')[0].status == 'running')
    sim.model.set_agent_status(sim.model.unit('postgresql/0'), 'lost')
    sim.maas.fail_next('create-backup', 'no space left')
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'postgresql/1 made the backup and may have become the primary' in ' '.join(op.problems)
    assert op.error.startswith('back-up-maas: ')
