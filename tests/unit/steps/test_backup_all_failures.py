"""backup-all that cannot succeed: it says why and what to do, and puts everything back."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.engine import operation
from rehearsal import site
from tests import simulation


def assert_nothing_is_left(sim: simulation.Simulation) -> None:
    assert sim.op.status == operation.FAILED
    assert sim.manifests() == []
    sealed = [i.key for i in sim.world.maas_store.list('coordinator/backup-sets/')]
    assert sealed == []
    assert len(sim.postgresql_units()) == 3


@pytest.mark.parametrize('access', ['read', 'write'])
def test_a_user_that_is_no_admin_is_told_so_before_anything_changes(
    sim: simulation.Simulation, access: str
):
    sim.user.model_access = access
    op = sim.run()
    assert 'juju grant backup-bot admin maas' in op.error
    assert_nothing_is_left(sim)
    assert sim.tasks('get-primary') == []


def test_a_bucket_that_does_not_exist_is_named(sim: simulation.Simulation):
    sim.s3.buckets['maas-backups'].exists = False
    op = sim.run()
    assert 'maas-backups' in op.error
    assert op.status == operation.FAILED
    assert sim.tasks('create-backup') == []


def test_a_bucket_that_refuses_writes_is_found_before_anything_changes(
    sim: simulation.Simulation,
):
    sim.s3.buckets['postgresql-backups'].refuses_writes = True
    op = sim.run()
    assert 'AccessDenied' in op.error
    assert sim.tasks('create-backup') == []


def test_a_repository_that_can_archive_nothing_is_found_before_anything_changes(
    sim: simulation.Simulation,
):
    for twin in ('', '.copy'):
        sim.world.postgresql_store.delete(f'archive/maas.postgresql/archive.info{twin}')
    op = sim.run()
    assert 'archive.info and its copy are missing or damaged' in op.error
    assert_nothing_is_left(sim)
    assert sim.tasks('create-backup') == []


def test_blocked_maas_is_refused_by_unit_and_message(sim: simulation.Simulation):
    sim.site.maas.block('no more disk')
    sim.clock.advance(5)
    op = sim.run()
    assert 'maas-region/0 is blocked (no more disk)' in op.error
    assert_nothing_is_left(sim)


def test_postgresql_without_a_primary_is_refused(sim: simulation.Simulation):
    sim.database.no_primary = True
    sim.site.postgresql.poke()
    sim.clock.advance(5)
    op = sim.run()
    assert 'primar' in op.error
    assert_nothing_is_left(sim)


def test_a_cluster_that_has_lost_its_quorum_is_refused_with_what_mends_it(
    sim: simulation.Simulation,
):
    primary, *others = sorted(sim.postgresql_units())
    for unit in others:
        sim.model.remove_unit(unit)
    site.settle(sim.model)
    op = sim.run()
    assert op.status == operation.FAILED
    assert f'juju run {primary} promote-to-primary scope=unit force=true' in op.error


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_a_sub_backup_that_fails_brings_the_units_back(
    sim: simulation.Simulation, application: str
):
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.fail_next('create-backup', 'no space left')
    op = sim.run()
    assert 'no space left' in op.error
    assert f'create-backup on {application}/0 failed (task ' in op.error
    assert 'juju show-task' in op.error
    assert_nothing_is_left(sim)
    assert len(sim.tasks('create-backup', application)) == 1


def hanging(sim: simulation.Simulation, application: str) -> operation.Operation:
    """Run a backup, one of whose parts hangs for most of a day without anybody looking."""
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.hang_next('create-backup')
    sim.until(lambda: bool(sim.tasks('create-backup', application)))
    for _ in range(23):
        sim.clock.advance(3600)
        sim.dispatch()
    return sim.run()


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_a_sub_backup_that_hangs_is_given_up_at_its_deadline(application: str):
    sim = simulation.Simulation()
    op = hanging(sim, application)
    assert 'not done within' in op.error
    assert_nothing_is_left(sim)
    (task,) = sim.tasks('create-backup', application)
    assert task.status == 'aborted'


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_an_action_that_made_nothing_is_tried_again_within_bounds(
    sim: simulation.Simulation, application: str
):
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.make_nothing_next('create-backup')
    assert sim.run().status == operation.COMPLETE
    assert len(sim.tasks('create-backup', application)) == 2


def test_storage_stays_and_is_reported_when_there_is_no_database_backup(
    sim: simulation.Simulation,
):
    sim.database.fail_next('create-backup', 'no space left')
    op = sim.run()
    left = [item.id for item in sim.world.juju.storage() if not item.owner]
    assert len(left) == 8
    assert any(left[0] in problem and 'juju remove-storage' in problem for problem in op.problems)


def test_a_replica_that_never_comes_back_does_not_cost_the_set(sim: simulation.Simulation):
    sim.at_step('back-up-maas')
    sim.database.stuck_replica = True
    op = sim.run()
    assert (op.status, op.error) == (operation.COMPLETE, '')
    (left,) = op.unfinished
    assert left == 'postgresql/3 is waiting (awaiting for member to start)'
    assert op.problems[0] == f'restore-postgresql-scale: {left}'
    assert len(sim.manifests()) == 1


def test_units_that_cannot_be_had_are_left_to_do_with_the_command(sim: simulation.Simulation):
    sim.at_step('back-up-maas')
    for unit in sim.postgresql_units()[1:]:
        sim.model.remove_unit(unit)
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert op.unfinished == ('postgresql has 1 of 3 units: juju add-unit postgresql -n 2',)


def test_credentials_that_are_revoked_hold_the_operation_until_they_are_back(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-postgresql')
    del sim.model.users['backup-bot']
    op = sim.run()
    assert op.status == operation.HELD
    assert 'juju-credentials' in op.error
    sim.model.users['backup-bot'] = sim.user
    sim.op = op.resumed(sim.clock.now())
    assert sim.run().status == operation.COMPLETE
    assert len(sim.manifests()) == 1


def test_aborted_when_shut_out_between_two_attempts_the_units_come_back(
    sim: simulation.Simulation,
):
    sim.at_step('scale-down-postgresql')
    sim.until(lambda: len(sim.postgresql_units()) == 2)
    sim.database.fail_next('get-primary', 'action terminated')
    sim.until(lambda: sim.op.current.state == operation.TO_DO)
    del sim.model.users['backup-bot']
    assert sim.run().status == operation.HELD
    sim.model.users['backup-bot'] = sim.user
    sim.op = sim.op.aborting(sim.clock.now())
    assert sim.run().status == operation.ABORTED
    assert len(sim.postgresql_units()) == 3
    assert 'storage of removed units was kept' in sim.op.problems[0]


def test_an_operation_that_is_shut_out_before_it_did_anything_fails(
    sim: simulation.Simulation,
):
    del sim.model.users['backup-bot']
    op = sim.run()
    assert 'juju-credentials' in op.error
    assert op.status == operation.FAILED


def test_a_password_that_changes_meanwhile_is_not_published(sim: simulation.Simulation):
    sim.at_step('back-up-maas')
    secret = next(s for s in sim.model.secrets.values() if s.label.endswith('postgresql.app'))
    sim.model.update_secret(secret, {**secret.content, 'operator-password': 'changed-meanwhile'})
    op = sim.run()
    assert 'the passwords of operator changed during the backup' in op.error
    assert sim.manifests() == []


def test_a_backup_that_somebody_else_runs_is_not_joined_by_a_second_one(
    sim: simulation.Simulation,
):
    sim.database.backup = 600
    sim.model.enqueue([('maas-region/0', 'create-backup', {}, True, '')])
    sim.clock.advance(1)
    op = sim.run()
    assert 'create-backup is running on maas-region/0' in op.error


@pytest.mark.parametrize('place', ['manual', 'container'])
def test_machines_that_juju_cannot_replace_are_never_given_away(place: str):
    sim = simulation.Simulation()
    for unit in sim.model.application('postgresql').units.values():
        if place == 'manual':
            unit.machine.instance_id = f'manual:{unit.machine.hostname}'
        else:
            unit.machine.id = f'{unit.machine.id}/lxd/0'
    op = sim.run()
    assert 'were added by hand, or are containers' in op.error
    assert 'postgresql-backup-strategy=replica' in op.error
    assert_nothing_is_left(sim)


@pytest.mark.parametrize(
    ('option', 'application'), [('s3_maas', 'maas-region'), ('s3_postgresql', 'postgresql')]
)
def test_an_application_that_backs_up_through_another_integrator_is_refused(
    sim: simulation.Simulation, option: str, application: str
):
    endpoint = option.replace('_', '-')
    sim.config = dataclasses.replace(sim.config, **{option: 's3-integrator-other'})
    sim.begin('backup-all')
    op = sim.run()
    assert (
        f'{application} does not use s3-integrator-other, '
        f'the integrator that is related to {endpoint}: juju '
        f'integrate {application}:s3-parameters s3-integrator-other'
    ) in op.error
    assert_nothing_is_left(sim)
    assert sim.tasks('get-primary') == []


# --- What was begun is ended ---------------------------------------------------------------------


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_where_juju_cannot_cancel_a_task_the_operation_ends_and_names_it(application: str):
    sim = simulation.Simulation(version='4.0.15')
    op = hanging(sim, application)
    (task,) = sim.tasks('create-backup', application)
    assert task.status == 'running'
    assert f'task {task.id} on {task.unit} is ending' in '\n'.join(op.problems)
    assert_nothing_is_left(sim)


def test_a_task_that_was_started_when_it_was_already_late_is_cancelled():
    sim = simulation.Simulation()
    sim.database.hang_next('create-backup')
    sim.at_step('back-up-postgresql')
    sim.clock.advance(24 * 3600)
    op = sim.run()
    assert 'not done within' in op.error
    (task,) = sim.tasks('create-backup', 'postgresql')
    assert op.entry('back-up-postgresql').task == task.id
    assert task.status in ('cancelled', 'aborted')
    assert_nothing_is_left(sim)


def test_a_files_backup_whose_announcement_is_stale_is_not_started_when_it_is_already_late():
    sim = simulation.Simulation()
    sim.at_step('back-up-maas')
    # It announces that it is about to begin.
    sim.dispatch()
    sim.clock.advance(24 * 3600)
    op = sim.run()
    assert 'not done within' in op.error
    assert not sim.tasks('create-backup', 'maas-region')
    assert_nothing_is_left(sim)


def test_a_task_that_aborts_for_ever_does_not_hold_the_operation_for_ever():
    sim = simulation.Simulation()
    sim.maas.hang_next('create-backup')
    sim.at_step('back-up-maas')
    sim.until(lambda: sim.tasks('create-backup', 'maas-region'))
    (task,) = sim.tasks('create-backup', 'maas-region')
    task.status = 'aborting'
    sim.op = sim.op.aborting(sim.clock.now())
    op = sim.run()
    assert op.status == operation.ABORTED
    assert f'task {task.id} on {task.unit} is ending' in '\n'.join(op.problems)
    assert task.status == 'aborting'
    assert len(sim.postgresql_units()) == 3
    assert sim.manifests() == []


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_an_abort_finds_and_cancels_a_task_whose_checkpoint_was_lost(application: str):
    sim = simulation.Simulation()
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.hang_next('create-backup')
    sim.at_step('back-up-postgresql' if application == 'postgresql' else 'back-up-maas')
    before = sim.op
    sim.until(lambda: sim.tasks('create-backup', application))
    sim.op = before.aborting(sim.clock.now())
    op = sim.run()
    assert (op.status, op.error) == (operation.ABORTED, 'aborted by the operator')
    (task,) = sim.tasks('create-backup', application)
    assert task.status in ('cancelled', 'aborted')
    assert len(sim.postgresql_units()) == 3
    assert sim.manifests() == []


def test_storage_of_a_unit_that_somebody_adds_while_units_go_is_removed_with_theirs(
    sim: simulation.Simulation,
):
    sim.at_step('scale-down-postgresql')
    sim.model.add_units('postgresql', 1)
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert len(sim.postgresql_units()) == 3
    assert [item.id for item in sim.world.juju.storage() if not item.owner] == []


def test_a_repository_that_is_aimed_elsewhere_fails_the_backup_and_keeps_no_passwords(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-maas')
    sim.model.set_config('s3-integrator-maas', {'path': 'elsewhere'})
    op = sim.run()
    assert op.status == operation.FAILED
    assert 's3-integrator-maas was set to another bucket or path during the backup' in op.error
    assert 'secrets.age' not in ' '.join(sim.s3.bucket('maas-backups').objects)


def test_a_files_backup_that_s3_does_not_let_be_read_is_not_made_once_more():
    sim = simulation.Simulation()
    sim.at_step('back-up-maas')
    sim.until(lambda: [task for task in sim.tasks('create-backup', 'maas-region') if task.ended])
    sim.s3.bucket('maas-backups').refuses_keys = True
    op = sim.run()
    sim.s3.bucket('maas-backups').refuses_keys = False
    assert 'InvalidAccessKeyId' in op.error
    assert len(sim.tasks('create-backup', 'maas-region')) == 1
