"""Units in trouble: a moment's trouble is waited out, a lasting one named with what helps."""

from __future__ import annotations

import datetime

import pytest

from coordinator.engine import operation
from coordinator.operations import steering
from rehearsal import model
from tests import restores, simulation

TRANSIENT = 'failed to update cluster members on member'


def lose(sim: simulation.Simulation, unit: str) -> None:
    """Let a unit's machine die: it runs nothing any more."""
    sim.model.set_agent_status(sim.model.unit(unit), 'lost')


def force_out(sim: simulation.Simulation, unit: str) -> None:
    """Do what `juju remove-unit --force` does."""
    sim.model._gone(sim.model.unit(unit))


def block(sim: simulation.Simulation, unit: str, message: str = TRANSIENT) -> None:
    sim.model.set_status(sim.model.unit(unit), 'blocked', message)


def seconds_later(sim: simulation.Simulation, seconds: float) -> datetime.datetime:
    return sim.clock.now() + datetime.timedelta(seconds=seconds)


def dispatch_for(sim: simulation.Simulation, seconds: float) -> None:
    end = seconds_later(sim, seconds)
    sim.until(lambda: sim.clock.now() > end)


# --- Blocked -------------------------------------------------------------------------------------


@pytest.mark.parametrize('step', ['check', 'scale-down-postgresql'])
def test_a_block_of_a_moment_ends_no_backup(sim: simulation.Simulation, step: str):
    if step != 'check':
        sim.at_step(step)
    for _ in range(3):
        block(sim, 'postgresql/0')
        dispatch_for(sim, 40)
        assert not sim.op.undoing
        sim.model.set_status(sim.model.unit('postgresql/0'), 'active', 'Primary')
        dispatch_for(sim, 1)
    assert (sim.run().status, sim.op.error, sim.op.problems) == (operation.COMPLETE, '', ())


@pytest.mark.parametrize('step', ['check', 'scale-down-postgresql'])
def test_a_block_that_lasts_ends_a_backup_and_is_named(sim: simulation.Simulation, step: str):
    if step != 'check':
        sim.at_step(step)
    sim.site.postgresql.block('no more disk')
    sim.clock.advance(5)
    began = sim.clock.now()
    sim.until(lambda: sim.op.undoing or not sim.op.open)
    assert 60 <= (sim.clock.now() - began).total_seconds() < 90
    assert 'postgresql/0 is blocked (no more disk)' in sim.op.error
    sim.site.postgresql.block('')
    assert sim.run().status == operation.FAILED
    assert len(sim.postgresql_units()) == 3


def test_a_region_that_is_blocked_for_a_moment_does_not_undo_a_restore():
    fresh = restores.under_way('detach-maas')
    block(fresh, 'maas-region/1', 'a moment')
    dispatch_for(fresh, 30)
    fresh.model.set_status(fresh.model.unit('maas-region/1'), 'waiting', '')
    restores.assert_restored((fresh.run(), fresh)[1], 3)


# --- Never gone ----------------------------------------------------------------------------------


def test_a_dying_unit_whose_agent_is_lost_is_named_with_what_helps(sim: simulation.Simulation):
    sim.at_step('scale-down-postgresql')
    lose(sim, 'postgresql/2')
    sim.model.remove_unit('postgresql/2')
    dispatch_for(sim, 120)
    assert sim.op.current.reason == 'postgresql/2 is being removed'
    dispatch_for(sim, 120)
    assert 'postgresql/2 is being removed. Its agent has been lost' in sim.op.current.reason
    assert sim.op.current.reason.endswith('juju remove-unit --force postgresql/2')
    force_out(sim, 'postgresql/2')
    op = sim.run()
    if sim.model.version.startswith('3.'):
        assert op.status == operation.COMPLETE
    else:
        # On Juju 4 the others do not hear of it, so PostgreSQL loses its quorum with the next
        # unit: the check has warned of that.
        assert op.status == operation.FAILED
        assert 'juju run postgresql/0 promote-to-primary' in op.error


def test_a_dying_unit_whose_hook_failed_is_named_with_what_helps(sim: simulation.Simulation):
    sim.at_step('scale-down-postgresql')
    unit = sim.model.unit('postgresql/2')
    unit.failed_hook = model.Event(model.Kind.HOOK, 'stop')
    sim.model.set_status(unit, 'error', 'hook failed: "stop"')
    sim.model.remove_unit('postgresql/2')
    dispatch_for(sim, 240)
    assert 'postgresql/2 is being removed. Its removal has taken' in sim.op.current.reason
    assert 'hook failed: "stop"' in sim.op.current.reason
    assert 'juju resolved postgresql/2' in sim.op.current.reason


# --- Lost while its task is waited for -----------------------------------------------------------


def hanging(application: str, strategy: str = 'scale-down') -> tuple[simulation.Simulation, str]:
    """Return a backup whose sub-backup never ends, and the unit that makes it."""
    sim = simulation.Simulation(strategy=strategy)
    (sim.database if application == 'postgresql' else sim.maas).hang_next('create-backup')
    sim.until(lambda: any(t.status == 'running' for t in sim.tasks('create-backup', application)))
    (task,) = sim.tasks('create-backup', application)
    return sim, task.unit


def test_the_only_database_unit_lost_in_its_backup_holds_it_and_says_what_helps():
    sim, unit = hanging('postgresql')
    lose(sim, unit)
    began = sim.clock.now()
    op = sim.run()
    assert op.status == operation.HELD
    assert 300 <= (sim.clock.now() - began).total_seconds() < 420
    held = op.current.reason
    assert f'the agent of {unit} has been lost for more than 5 min' in held
    assert 'postgresql has 1 of 3 units' in held
    assert f'juju remove-unit --force {unit}' in held
    assert 'abort-operation' in held
    assert 'resume-operation' in held
    # Nobody has requested units: they would begin a database that is empty.
    assert list(sim.model.application('postgresql').units) == [unit]


def test_a_backup_that_was_held_for_a_lost_unit_goes_on_when_it_is_back():
    sim, unit = hanging('postgresql')
    lose(sim, unit)
    op = sim.run()
    assert op.status == operation.HELD
    found = sim.model.unit(unit)
    (task,) = sim.tasks('create-backup', 'postgresql')
    sim.model._stop_running(found)
    task.status, task.message = 'failed', 'action terminated'
    sim.model.set_agent_status(found, 'idle')
    sim.site.postgresql.poke()
    sim.op = op.resumed(sim.clock.now())
    assert sim.run().status == operation.COMPLETE
    assert len(sim.postgresql_units()) == 3


def test_a_backup_whose_only_unit_is_given_up_requests_the_units_when_aborted():
    sim, unit = hanging('postgresql')
    lose(sim, unit)
    op = sim.run()
    force_out(sim, unit)
    sim.op = op.aborting(sim.clock.now())
    sim.until(lambda: len(sim.postgresql_units()) == 3)


@pytest.mark.parametrize(
    ('application', 'strategy'), [('postgresql', 'replica'), ('maas-region', 'scale-down')]
)
def test_a_lost_unit_that_is_not_alone_fails_the_backup_and_the_units_come(
    application: str, strategy: str
):
    sim, unit = hanging(application, strategy)
    lose(sim, unit)
    sim.until(lambda: sim.op.undoing)
    assert f'juju remove-unit --force {unit}, juju add-unit {application}' in sim.op.error
    force_out(sim, unit)
    if strategy == 'scale-down':
        assert sim.run().status == operation.FAILED
        assert len(sim.postgresql_units()) == 3


def test_each_wait_counts_a_lost_agent_for_itself():
    sim, unit = hanging('maas-region')
    lose(sim, unit)
    dispatch_for(sim, 120)
    assert str(sim.tasks('create-backup', 'maas-region')[0].id) in sim.fact('agents-lost')
    (task,) = sim.tasks('create-backup', 'maas-region')
    sim.model._stop_running(sim.model.unit(unit))
    task.status, task.message = 'failed', 'action terminated'
    sim.model.set_agent_status(sim.model.unit(unit), 'idle')
    sim.maas.hang_next('create-backup')
    dispatch_for(sim, 400)
    lose(sim, unit)
    dispatch_for(sim, 200)
    assert not sim.op.undoing


def test_an_agent_that_is_lost_for_two_minutes_in_a_backup_is_waited_for():
    sim, unit = hanging('maas-region')
    lose(sim, unit)
    dispatch_for(sim, 120)
    sim.model.set_agent_status(sim.model.unit(unit), 'executing')
    dispatch_for(sim, 120)
    lose(sim, unit)
    dispatch_for(sim, 200)
    assert not sim.op.undoing


def test_a_region_that_is_lost_in_a_restore_is_replaced_and_the_restore_ends():
    fresh = restores.under_way('restore-maas')
    fresh.maas.hang_next('restore-backup')
    fresh.until(lambda: len(fresh.tasks('restore-backup')) == 3)
    lost = next(t.unit for t in fresh.tasks('restore-backup') if t.status == 'running')
    lose(fresh, lost)
    op = fresh.run()
    assert op.status == operation.HELD
    for words in (
        f'the agent of {lost} has been lost',
        'MAAS is detached',
        f'juju remove-unit --force {lost}, juju add-unit maas-region',
    ):
        assert words in op.current.reason
    force_out(fresh, lost)
    fresh.model.add_units('maas-region', 1)
    fresh.clock.advance(60)
    fresh.op = op.resumed(fresh.clock.now())
    restores.assert_restored((fresh.run(), fresh)[1], 3)


# --- Somebody else adds and removes --------------------------------------------------------------


def test_units_that_are_added_again_and_again_end_the_scaling_within_bounds(
    sim: simulation.Simulation,
):
    sim.at_step('scale-down-postgresql')

    def keep_three() -> bool:
        missing = 3 - len(sim.postgresql_units())
        if missing > 0 and not sim.op.undoing:
            sim.model.add_units('postgresql', missing)
        return sim.op.undoing

    sim.until(keep_three)
    assert 'were added to postgresql while it was scaled down from 3' in sim.op.error
    assert 'Terraform' in sim.op.error
    assert 'postgresql-backup-strategy=replica' in sim.op.error
    newest = max(unit.number for unit in sim.model.application('postgresql').units.values())
    assert newest <= 2 + 4
    assert sim.run().status == operation.FAILED
    assert len(sim.postgresql_units()) == 3


def test_units_that_are_removed_again_and_again_are_requested_within_bounds(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-postgresql')
    sim.database.fail_next('create-backup', 'no space left')

    def keep_one() -> bool:
        for unit in sim.postgresql_units():
            if unit != 'postgresql/0' and sim.op.undoing:
                sim.model.remove_unit(unit)
        return not sim.op.open

    sim.until(keep_one)
    assert sim.op.status == operation.HELD
    assert 'Terraform' in sim.op.current.reason
    numbers = [int(name.partition('/')[2]) for name in sim.model.application('postgresql').units]
    assert max(numbers, default=0) <= 2 + 4
    assert 'juju add-unit postgresql -n 2' in sim.op.current.reason
    sim.model.add_units('postgresql', 2)
    sim.op = sim.op.resumed(sim.clock.now())
    assert sim.run().status == operation.FAILED
    assert len(sim.postgresql_units()) == 3


# --- One machine, one unit -----------------------------------------------------------------------


@pytest.mark.parametrize('stops', [False, True])
def test_no_machine_gets_two_database_units_when_juju_stops_half_way(stops: bool):
    sim = simulation.Simulation()
    for unit in sim.model.application('postgresql').units.values():
        sim.model.deploy(
            f'beside-{unit.number}',
            sim.model.application('s3-integrator-maas').charm,
            sim.model.application('s3-integrator-maas').agent,
            1,
            machines=[unit.machine.id],
        )
    machines = {u.machine.id for u in sim.model.application('postgresql').units.values()}
    sim.at_step('request-postgresql-units')
    if stops:
        # Juju 3.6 has added the first of two, on the first machine that is free.
        free = sorted(machines - {sim.model.unit('postgresql/0').machine.id})
        sim.model.add_units('postgresql', 1, free[:1])
    sim.until(lambda: len(sim.postgresql_units()) == 3)
    units = sim.model.application('postgresql').units.values()
    assert sorted(unit.machine.id for unit in units) == sorted(machines)


# --- Hints that match the site -------------------------------------------------------------------


def test_after_a_deadline_only_what_is_missing_or_left_over_is_named(sim: simulation.Simulation):
    sim.database.fail_next('create-backup', 'no space left')
    sim.database.stuck_replica = True
    op = sim.run()
    assert len(sim.postgresql_units()) == 3
    told = '\n'.join(op.problems)
    assert 'did not end in time' in told
    assert 'juju add-unit' not in told
    left = {item.id for item in sim.world.juju.storage() if not item.owner}
    (line,) = [line for line in op.problems if 'juju remove-storage' in line]
    assert set(line.partition('juju remove-storage ')[2].split()) == left


def test_an_end_by_force_names_the_units_that_are_missing_and_no_task_that_has_ended(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-maas')
    sim.until(lambda: sim.op.current.task is not None)
    sim.clock.advance(60)
    for unit in [name for name in sim.postgresql_units() if name != 'postgresql/0'][:1]:
        force_out(sim, unit)
    op = steering.aborted(sim.op, sim.clock.now(), force=True, world=sim.world)
    told = '\n'.join(op.problems)
    assert 'postgresql has 2 of 3 units: juju add-unit postgresql' in told
    assert 'still running' not in told
    assert told.count('juju remove-storage') == 1


def test_where_the_world_does_not_answer_the_record_says_what_may_be_left(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-maas')
    del sim.model.users['backup-bot']
    op = steering.aborted(sim.op, sim.clock.now(), force=True, world=sim.world)
    assert any('postgresql had 3 unit(s)' in line for line in op.problems)
