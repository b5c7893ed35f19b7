"""A restore counts when S3 shows it, whatever tasks and statuses say."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.operations import steering
from coordinator.sets import manifest
from rehearsal import site
from rehearsal.standins import behaviour
from tests import restores, simulation

CUT_OFF = 'Failed to remove previous cluster information with error: x'


def rolling_back(units: int = 1) -> simulation.Simulation:
    """Return a living site that is about to begin the restore of its database."""
    sim = restores.backed_up(postgresql_units=units)
    restores.restore(sim, sim, identity='')
    sim.at_step('restore-postgresql')
    return sim


def wanted(sim: simulation.Simulation) -> str:
    found = manifest.Manifest.model_validate_json(sim.fact('backup-set'))
    return found.postgresql.backup_id


def by_hand(sim: simulation.Simulation, backup_id: str) -> None:
    """Restore the database as an operator would, and wait until that is over."""
    task = site.run_action(sim.model, 'postgresql/0', 'restore', {'backup-id': backup_id})
    assert task.status == 'completed', task.message
    sim.clock.advance(600)
    site.settle(sim.model, ('active', 'blocked', 'waiting'))


def resume(sim: simulation.Simulation, **parameters: str) -> None:
    sim.op = sim.op.resumed(sim.clock.now(), parameters)


# --- Without a proof -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('at', 'message', 'shown'),
    [
        ('stopping', 'Failed to stop database service', 'maintenance: restoring backup'),
        ('emptying', 'Failed to remove contents of the data directory', 'active: Primary'),
    ],
)
def test_a_restore_that_failed_with_the_old_data_is_held_whatever_the_unit_shows(
    at: str, message: str, shown: str
):
    sim = rolling_back()
    before = sim.site.database
    sim.database.fail_next('restore', message, at)
    op = sim.run()
    assert (op.status, op.step) == (operation.HELD, 'restore-postgresql')
    (task,) = sim.tasks('restore', 'postgresql')
    assert f'task {task.id} failed: {message}' in op.current.reason
    assert f'postgresql/0 shows "{shown}"' in op.current.reason
    assert sim.site.database == before
    resume(sim)
    sim.run()
    restores.assert_restored(sim, 1)


def test_an_agent_that_died_before_the_restore_has_it_repeated_when_the_unit_says_so():
    sim = rolling_back()
    sim.database.fail_next('restore', 'action terminated', 'stopping')
    sim.until(lambda: sim.op.current.attempts == 2)
    sim.dispatch()
    assert 'postgresql/0 shows "maintenance: restoring backup"' in sim.op.current.reason
    assert len(sim.tasks('restore', 'postgresql')) == 1
    sim.run()
    restores.assert_restored(sim, 1)


@pytest.mark.parametrize('restarts', [False, True])
def test_a_task_that_says_it_began_proves_nothing(restarts: bool):
    sim = rolling_back()
    sim.database.make_nothing_next('restore')
    sim.at_step('await-postgresql')
    if restarts:
        # A restart of Patroni begins a timeline as well.
        sim.database.fail_next('restore', 'x', 'emptying')
        site.run_action(sim.model, 'postgresql/0', 'restore', {'backup-id': wanted(sim)})
    op = sim.run()
    assert (op.status, op.step) == (operation.HELD, 'await-postgresql')
    assert 'postgresql/0 shows "active: Primary"' in op.current.reason
    assert 'the archive in S3 shows no timeline' in op.current.reason
    by_hand(sim, wanted(sim))
    resume(sim)
    sim.run()
    restores.assert_restored(sim, 1)


def without_history(sim: simulation.Simulation) -> dict[str, bytes]:
    """Delete what PostgreSQL has archived of its timelines, as if it was archived later."""
    store = sim.world.postgresql_store
    keys = [item.key for item in store.list('archive/') if item.key.endswith('.history')]
    archived = {key: store.get(key) for key in keys}
    for key in keys:
        store.delete(key)
    return archived


def assert_waits_for_proof(sim: simulation.Simulation, archived: dict[str, bytes]) -> None:
    for _ in range(5):
        sim.dispatch()
        sim.clock.advance(simulation.BEAT_SECONDS)
    assert 'waiting until its archive shows the new timeline' in sim.op.current.reason
    for key, content in archived.items():
        sim.world.postgresql_store.put(key, content)
    sim.run()
    restores.assert_restored(sim, 1)


def test_resumed_it_gives_the_archive_its_time_again():
    sim = rolling_back()
    sim.database.make_nothing_next('restore')
    sim.at_step('await-postgresql')
    assert sim.run().status == operation.HELD
    by_hand(sim, wanted(sim))
    archived = without_history(sim)
    resume(sim)
    assert_waits_for_proof(sim, archived)


def test_a_unit_that_restores_for_hours_after_it_seemed_to_be_done_gets_that_time_as_well():
    sim = rolling_back()
    sim.database.make_nothing_next('restore')
    sim.at_step('await-postgresql')
    sim.until(lambda: 'waiting until its archive' in sim.op.current.reason)
    end = sim.clock.now() + datetime.timedelta(hours=1)
    while sim.clock.now() < end:
        unit = sim.model.unit('postgresql/0')
        sim.model.set_status(unit, 'maintenance', 'restoring backup')
        sim.dispatch()
        sim.clock.advance(simulation.BEAT_SECONDS)
    by_hand(sim, wanted(sim))
    assert_waits_for_proof(sim, without_history(sim))


def test_in_a_fresh_model_the_new_repository_proves_whose_cluster_it_is():
    lost = restores.backed_up(postgresql_units=1)
    fresh = restores.simulate(postgresql_units=1, after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('restore-postgresql')
    fresh.database.make_nothing_next('restore')
    op = fresh.run()
    assert (op.status, op.step) == (operation.HELD, 'renew-repository')
    assert 'the database was not restored' in op.current.reason
    fresh.model.set_config('s3-integrator-postgresql', {'path': 'postgresql'})
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    by_hand(fresh, wanted(fresh))
    resume(fresh, **{'postgresql-path': 'postgresql'})
    op = fresh.run()
    assert (op.status, op.step) == (operation.HELD, 'renew-repository')
    assert 'postgresql-path=postgresql is in use' in op.error
    resume(fresh, **{'postgresql-path': 'postgresql-restored-2'})
    fresh.run()
    restores.assert_restored(fresh, 1)


# --- Proven ----------------------------------------------------------------------------------


def test_a_task_that_failed_after_all_was_done_is_not_repeated():
    sim = rolling_back()
    sim.database.fail_next('restore', CUT_OFF, 'end')
    assert sim.run().status == operation.HELD
    sim.clock.advance(600)
    resume(sim)
    sim.run()
    restores.assert_restored(sim, 1)
    assert len(sim.tasks('restore', 'postgresql')) == 1


def test_a_repository_that_archived_nothing_is_left_even_if_nothing_is_blocked_any_more():
    lost = restores.backed_up(postgresql_units=1)
    fresh = restores.simulate(postgresql_units=1, after=lost)
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 1)
    assert fresh.fact('restore-next-timeline') == ''
    assert fresh.world.postgresql_store.place['path'] == 'postgresql-restored-1'


def test_a_cluster_that_says_only_afterwards_that_it_does_not_archive_is_proven_all_the_same():
    lost = restores.backed_up(postgresql_units=1)
    fresh = restores.simulate(postgresql_units=1, after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('detach-maas')
    while fresh.op.step == 'detach-maas':
        # Its block is slow to come, or another hook has written over it for a moment.
        fresh.model.set_status(fresh.model.unit('postgresql/0'), 'active', 'Primary')
        fresh.dispatch()
        fresh.clock.advance(simulation.BEAT_SECONDS)
    assert fresh.fact('restore-next-timeline') != ''
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    fresh.run()
    restores.assert_restored(fresh, 1)
    assert fresh.fact('restore-next-timeline') == ''


@pytest.mark.parametrize('restored', [True, False])
def test_a_second_restore_of_the_same_cluster_says_that_nothing_proves_it(restored: bool):
    lost = restores.backed_up(postgresql_units=1)
    fresh = restores.simulate(postgresql_units=1, after=lost)
    trusted = tuple(lost.world.signer.keys())
    fresh.config = dataclasses.replace(fresh.config, trusted_signers=trusted)
    restores.restore(fresh, lost)
    assert fresh.run().warnings == ()
    restores.restore(fresh, lost)
    fresh.at_step('restore-postgresql')
    if not restored:
        fresh.database.make_nothing_next('restore')
    op = fresh.run()
    assert op.status == operation.COMPLETE
    (warning,) = op.warnings
    assert warning.startswith('nothing in S3 proves that postgresql was restored')
    assert f'MAAS shows what it had at {op.parameters["backup-id"]}' in warning


# --- Others ----------------------------------------------------------------------------------


def with_two_sets() -> tuple[simulation.Simulation, str]:
    """Return a living site about to restore the first of two sets, and the second's backup."""
    sim = restores.backed_up(postgresql_units=1)
    first, at_first = sim.manifests()[0].split('/')[2], sim.at_backup
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    table = site.run_action(sim.model, 'postgresql/0', 'list-backups').output['backups']
    other = table.splitlines()[-1].partition(' ')[0]
    restores.restore(sim, sim, identity='', backup_id=first)
    sim.at_backup = at_first
    sim.at_step('restore-postgresql')
    assert other != wanted(sim)
    return sim, other


def test_a_restore_of_another_backup_that_somebody_began_first_holds():
    sim, other = with_two_sets()
    sim.model.enqueue([('postgresql/0', 'restore', {'backup-id': other}, False, '')])
    op = sim.run()
    assert op.status == operation.HELD
    (task,) = sim.tasks('restore', 'postgresql')
    assert f'task {task.id} on postgresql/0, which this operation did not start' in (
        op.current.reason
    )
    assert f'juju run postgresql/0 restore backup-id={wanted(sim)}' in op.current.reason
    with pytest.raises(errors.PreconditionError, match='may have begun to replace data'):
        steering.aborted(op, sim.clock.now())
    resume(sim)
    sim.run()
    restores.assert_restored(sim, 1)


def test_a_restore_of_another_backup_that_somebody_began_afterwards_holds_until_it_is_undone():
    sim, other = with_two_sets()
    sim.at_step('await-postgresql')
    by_hand(sim, other)
    op = sim.run()
    assert (op.status, op.step) == (operation.HELD, 'await-postgresql')
    assert f'restores {other} (completed)' in op.current.reason
    resume(sim)
    assert sim.run().status == operation.HELD, 'resuming alone mends nothing'
    by_hand(sim, wanted(sim))
    resume(sim)
    sim.run()
    restores.assert_restored(sim, 1)


# --- Refused ---------------------------------------------------------------------------------

REFUSALS = [
    'Failed to retrieve backups list',
    'Invalid backup-id: 2026-08-22T10:00:00Z',
    'Unit cannot restore backup as there are more than one unit in the cluster',
    'Cluster or unit is in a blocking state',
]


def assert_as_it_was(sim: simulation.Simulation, before: object) -> None:
    assert sim.op.status == operation.FAILED
    site.settle(sim.model, limit=900)
    assert sim.site.fingerprint() == before
    related = sim.world.juju.status().relations
    assert any('maas-region:maas-db' in relation.endpoints for relation in related)


@pytest.mark.parametrize('message', REFUSALS)
def test_a_refusal_before_anything_is_touched_is_undone(message: str):
    sim = restores.backed_up()
    before = sim.site.fingerprint()
    restores.restore(sim, sim, identity='')
    sim.database.fail_next('restore', message)
    sim.run()
    assert message in sim.op.error
    assert_as_it_was(sim, before)


@pytest.mark.parametrize('switch', ['standby', 'replicates'])
def test_a_cluster_that_replicates_another_is_left_as_it_was(switch: str):
    sim = rolling_back()
    before = sim.site.fingerprint()
    setattr(sim.database, switch, True)
    sim.run()
    assert 'refused to restore the database' in sim.op.error
    assert_as_it_was(sim, before)


def test_a_refusal_after_an_attempt_that_may_have_begun_is_held():
    sim = rolling_back()
    sim.database.fail_next('restore', 'action terminated')
    sim.database.faults['restore'].append(behaviour.Fault('fail', REFUSALS[0], 'start'))
    op = sim.run()
    assert op.status == operation.HELD
    assert REFUSALS[0] in op.current.reason
    resume(sim)
    sim.run()
    restores.assert_restored(sim, 1)


def test_units_that_are_more_again_before_the_restore_began_have_it_undone():
    sim = rolling_back(units=3)
    sim.model.add_units('postgresql', 1)
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'postgresql has 2 units again' in op.error
    assert not sim.tasks('restore', 'postgresql')
    site.settle(sim.model, limit=900)


# --- Passwords -------------------------------------------------------------------------------


def give(sim: simulation.Simulation, **passwords: str) -> None:
    secret = sim.model.add_secret(
        f'model-{sim.model.uuid}', passwords, f'by-hand-{len(passwords)}'
    )
    secret.grants.add('postgresql')
    sim.model.set_config('postgresql', {'system-users': secret.uri})
    site.settle(sim.model, ('active', 'blocked', 'waiting'))


def test_passwords_that_changed_right_before_the_restore_have_it_undone():
    sim = rolling_back()
    give(sim, operator='changed')
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'the passwords of operator were changed' in op.error
    assert not sim.tasks('restore', 'postgresql')
    assert sim.site.passwords['operator-password'] == 'changed'


def test_a_set_without_the_backup_users_password_is_restored_where_there_is_one():
    sim = restores.backed_up()
    give(sim, backup='of this site')
    restores.restore(sim, sim, identity='')
    assert sim.run().status == operation.COMPLETE
    site.settle(sim.model)
    found = sim.site.fingerprint()
    assert found['passwords'].pop('backup-password')
    assert found == sim.at_backup


def test_a_set_with_the_backup_users_password_is_restored_where_there_is_none():
    lost = restores.simulate()
    give(lost, backup='of the lost site')
    assert lost.run().status == operation.COMPLETE
    lost.at_backup = lost.site.fingerprint()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 3)
    assert fresh.site.passwords['backup-password'] == 'of the lost site'


def test_a_password_that_cannot_be_taken_away_again_does_not_keep_a_restore_from_its_undo():
    lost = restores.simulate()
    give(lost, backup='of the lost site')
    assert lost.run().status == operation.COMPLETE
    fresh = restores.simulate(after=lost)
    before = fresh.site.passwords
    restores.restore(fresh, lost)
    fresh.at_step('detach-maas')
    fresh.op = steering.aborted(fresh.op, fresh.clock.now())
    assert fresh.run().status == operation.ABORTED
    after = fresh.site.passwords
    assert {name: after[name] for name in before} == before
