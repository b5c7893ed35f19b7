"""The last unit goes in mid-operation: it puts back at once what it can, and tells the rest."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator import errors, ports
from coordinator.engine import facts, operation
from coordinator.operations import leaving
from coordinator.steps import relations
from rehearsal import site
from tests import restores, simulation


class Unreachable:
    """A world whose controller does not answer, or answers in an unheard-of way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def juju(self) -> ports.JujuModel:
        raise self.error


def gone(sim: simulation.Simulation) -> operation.Operation:
    """Remove the coordinator in one last dispatch; return what it records."""
    sim.op = leaving.leave(sim.op, sim.world)
    site.settle(sim.model, ('active', 'blocked', 'waiting'))
    return sim.op


def scaled_down() -> simulation.Simulation:
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    assert len(sim.postgresql_units()) == 1
    return sim


def detached() -> simulation.Simulation:
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.until(lambda: sim.op.step == 'detach-maas' and relations_of(sim) is None)
    return sim


def relations_of(sim: simulation.Simulation) -> tuple[str, str] | None:
    return relations.database(sim.world.juju.status(), sim.config)


def test_postgresql_gets_its_units_back_at_once():
    sim = scaled_down()
    op = gone(sim)
    assert len(sim.postgresql_units()) == 3
    assert op.status == operation.HELD
    assert leaving.REMOVED in op.current.reason
    assert any('2 unit(s) of postgresql were requested' in line for line in op.warnings)
    assert not any('juju add-unit' in line for line in op.warnings), 'nothing is missing'


def test_each_of_the_last_hooks_may_do_it_again():
    sim = scaled_down()
    first = gone(sim)
    assert gone(sim).to_json() == first.to_json()
    assert len(sim.postgresql_units()) == 3


@pytest.mark.parametrize('step', ['back-up-postgresql', 'back-up-maas'])
def test_a_last_hook_that_dies_after_its_effects_does_nothing_twice(step: str):
    sim = simulation.Simulation()
    sim.at_step(step)
    leaving.leave(sim.op, sim.world)
    before = sim.model.revision
    leaving.leave(sim.op, sim.world)
    assert sim.model.revision == before
    assert len(sim.postgresql_units()) == 3


def test_a_relation_that_was_put_back_before_the_hook_died_is_not_put_back_twice():
    sim = detached()
    leaving.leave(sim.op, sim.world)
    before = sim.model.revision
    leaving.leave(sim.op, sim.world)
    assert sim.model.revision == before


def test_a_published_backup_leaves_nothing_to_do():
    sim = simulation.Simulation()
    sim.at_step('expire-backups')
    op = gone(sim)
    assert len(sim.postgresql_units()) == 3
    assert not any('juju add-unit' in line for line in op.warnings)
    sim.op = op.resumed(sim.clock.now())
    assert sim.run().status == operation.COMPLETE


def test_an_operation_that_has_left_can_be_aborted_and_leaves_the_site_whole():
    sim = scaled_down()
    gone(sim)
    sim.op = sim.op.aborting(sim.clock.now())
    assert sim.run().status == operation.ABORTED
    assert len(sim.postgresql_units()) == 3
    assert sim.manifests() == []


def test_maas_gets_its_database_back_while_no_data_was_replaced():
    sim = detached()
    op = gone(sim)
    assert relations_of(sim) is not None
    assert len(sim.postgresql_units()) == 3
    assert not any('juju integrate' in line for line in op.warnings)


def test_a_relation_that_is_still_going_is_told_and_put_back_by_a_later_hook():
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.until(lambda: sim.op.step == 'detach-maas' and facts.RELATION_REMOVED.known(sim.op))
    if relations_of(sim) is None:
        pytest.skip('it goes at once')
    first = leaving.leave(sim.op, sim.world)
    assert any('juju integrate' in line for line in first.warnings)
    sim.op = first
    site.settle(sim.model, ('active', 'blocked', 'waiting'))
    second = gone(sim)
    assert relations_of(sim) is not None
    assert not any('juju integrate' in line for line in second.warnings)


def test_once_data_is_replaced_nothing_is_touched_and_the_commands_are_told(
    caplog: pytest.LogCaptureFixture,
):
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.at_step('restore-maas')
    before = sim.model.revision
    op = leaving.leave(sim.op, sim.world)
    assert sim.model.revision == before
    text = '\n'.join(op.warnings)
    assert 'MAAS has no database: juju integrate maas-region:maas-db' in text
    assert 'juju add-unit postgresql -n 2' in text
    assert op.warnings[0].startswith('left to do: the database or the files of MAAS may be half')
    assert 'abort-operation' not in op.current.reason
    told = [record.getMessage() for record in caplog.records if record.levelname == 'ERROR']
    assert any('juju integrate maas-region:maas-db' in line for line in told)
    assert any('resume-operation continues it' in line for line in told)


def test_after_the_repository_is_renewed_the_site_is_put_together():
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.at_step('attach-maas')
    gone(sim)
    assert relations_of(sim) is not None
    assert len(sim.postgresql_units()) == 3


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (errors.ConnectionFailed('no controller answers'), 'left to do: no controller answers'),
        (ZeroDivisionError('hunter2'), 'left to do: internal error (ZeroDivisionError)'),
    ],
    ids=['ours', 'other'],
)
def test_what_cannot_be_reached_keeps_no_unit_from_going(error: Exception, told: str):
    sim = scaled_down()
    op = leaving.leave(sim.op, Unreachable(error))  # pyright: ignore[reportArgumentType]
    assert told in op.warnings
    assert any('juju add-unit postgresql' in line for line in op.warnings)
    assert 'hunter2' not in op.to_json()


def test_a_database_whose_only_unit_is_lost_gets_no_empty_members():
    sim = scaled_down()
    (only,) = sim.postgresql_units()
    sim.model.unit(only).agent.current = 'lost'
    op = leaving.leave(sim.op, sim.world)
    assert sim.postgresql_units() == [only]
    assert any('new units would start with an empty database' in line for line in op.warnings)


def test_why_it_was_held_before_stays():
    sim = scaled_down()
    sim.op = sim.op.held('S3 refuses')
    op = gone(sim)
    assert op.current.reason == 'S3 refuses'
    assert len(sim.postgresql_units()) == 3


def test_an_operation_of_another_revision_is_left_as_it_is():
    sim = scaled_down()
    unknown = dataclasses.replace(sim.op, kind='expire-all')
    op = leaving.leave(unknown, sim.world)
    assert op.status == operation.HELD
    assert len(sim.postgresql_units()) == 1
