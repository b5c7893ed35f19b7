"""The stand-in of postgresql restores, refuses, and shows what it does, as the charm does."""

from __future__ import annotations

import pytest

from rehearsal import site
from rehearsal.standins import postgresql_restore
from tests.unit import site_bench

ANOTHER = 'the S3 repository has backups from another cluster'
PRIMARY = {'postgresql/0': 'active Primary'}
RESTORING = {'postgresql/0': 'maintenance restoring backup'}
NEW_PATH = 'postgresql-restored-1'


@pytest.fixture
def bench() -> site_bench.Bench:
    return site_bench.deploy(units=1, regions=1)


def refusal(bench: site_bench.Bench, unit: int = 0, **parameters: str) -> str:
    given = {key.replace('_', '-'): value for key, value in parameters.items()}
    task = bench.run(unit, 'restore', given)
    assert task.status == 'failed'
    return task.message


# --- What it does --------------------------------------------------------------------------------


def test_the_database_and_the_passwords_that_it_expects_come_back(bench: site_bench.Bench):
    backup_id = bench.back_up()
    before = bench.site.fingerprint()
    captured = bench.system_passwords()
    bench.site.add_machine('daring-dog')
    bench.give_passwords({'operator': 'newer'})
    assert bench.site.fingerprint() != before

    bench.give_passwords(captured)
    bench.restore(backup_id)

    assert bench.statuses == PRIMARY
    assert bench.site.fingerprint() == before


def test_the_action_ends_when_the_restore_has_but_begun(bench: site_bench.Bench):
    backup_id = bench.back_up()

    task = bench.run(0, 'restore', {'backup-id': backup_id})

    assert task.status == 'completed'
    assert task.output['restore-status'] == 'restore started'
    assert bench.statuses == RESTORING
    assert bench.site.database == {}, 'what was there is gone at once'


def test_the_end_is_noticed_with_the_next_update_status(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.run(0, 'restore', {'backup-id': backup_id})
    begun = bench.juju.clock.now()

    while bench.statuses == RESTORING:
        bench.advance(1)

    assert (bench.juju.clock.now() - begun).total_seconds() > 60
    assert bench.statuses == PRIMARY


def test_a_short_interval_of_update_status_shortens_the_waiting(bench: site_bench.Bench):
    bench.juju.update_status_interval = 10
    bench.advance(300)
    backup_id = bench.back_up()

    bench.run(0, 'restore', {'backup-id': backup_id})
    bench.advance(20)

    assert bench.statuses == PRIMARY


def test_a_hook_in_which_the_charm_does_not_look_shows_nothing(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.run(0, 'restore', {'backup-id': backup_id})
    bench.advance(10)

    bench.juju.set_config(site.POSTGRESQL, {'profile': 'testing'})
    bench.advance(10)

    assert bench.statuses == RESTORING


def test_a_restore_begins_a_timeline_and_is_a_row_of_the_list(bench: site_bench.Bench):
    backup_id = bench.back_up()

    bench.restore(backup_id)
    bench.restore(backup_id)

    assert bench.site.postgresql.state['timeline'] == 3
    rows = bench.backups()
    assert [row[1] for row in rows] == ['full backup', 'restore', 'restore']
    assert [row[7] for row in rows] == ['1', '2', '3']


def test_a_restored_cluster_can_be_backed_up_and_restored_again(bench: site_bench.Bench):
    bench.restore(bench.back_up())
    bench.site.add_machine('daring-dog')
    second = bench.back_up()
    bench.site.add_machine('eager-eel')

    bench.restore(second)

    assert bench.site.database['machines'][-1] == 'daring-dog'


def test_incremental_backups_are_restored_too(bench: site_bench.Bench):
    bench.back_up()
    bench.site.add_machine('daring-dog')
    bench.settle()
    assert bench.run(0, 'create-backup', {'type': 'incremental'}).status == 'completed'
    backup_id = bench.backups()[-1][0]
    bench.site.add_machine('eager-eel')

    bench.restore(backup_id)

    assert bench.site.database['machines'][-1] == 'daring-dog'


def test_while_it_restores_there_is_no_primary_and_no_backup(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.run(0, 'restore', {'backup-id': backup_id})

    assert 'primary' not in bench.run(0, 'get-primary').output
    message = 'Unit cannot perform backups as the database seems to be offline'
    assert bench.run(0, 'create-backup').message == message
    assert len(bench.backups()) == 1, 'the list can be read'


def test_a_unit_that_is_added_meanwhile_waits_and_joins_after_it(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.run(0, 'restore', {'backup-id': backup_id})
    bench.juju.add_units(site.POSTGRESQL, 1)
    bench.site.postgresql_switches.hook = 0.0
    bench.advance(3)
    assert bench.statuses['postgresql/0'] == 'maintenance restoring backup'

    bench.await_restore()
    bench.advance(60)

    assert bench.statuses == {'postgresql/0': 'active Primary', 'postgresql/1': 'active '}


# --- What it refuses -----------------------------------------------------------------------------


def test_a_backup_or_a_time_must_be_named(bench: site_bench.Bench):
    assert refusal(bench) == (
        'Either backup-id or restore-to-time parameters need to be provided to be able to do '
        'restore'
    )


def test_an_unknown_backup_is_refused(bench: site_bench.Bench):
    bench.back_up()

    assert refusal(bench, backup_id='2020-01-01T00:00:00Z') == (
        'Invalid backup-id: 2020-01-01T00:00:00Z'
    )
    assert bench.statuses == PRIMARY


def test_a_restore_of_the_list_is_no_backup(bench: site_bench.Bench):
    bench.restore(bench.back_up())
    row = bench.backups()[-1]
    assert row[1] == 'restore'

    message = 'Cannot restore to the timeline without restore-to-time parameter'
    assert refusal(bench, backup_id=row[0]) == message


def test_two_units_are_too_many():
    bench = site_bench.deploy(units=2, regions=1)
    bench.run(1, 'create-backup')

    message = 'Unit cannot restore backup as there are more than one unit in the cluster'
    assert refusal(bench, backup_id=bench.backups()[0][0]) == message


def test_only_the_leader_restores(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.juju.application(site.POSTGRESQL).leader = 'postgresql/9'

    message = 'Unit cannot restore backup as it was not elected the leader unit yet'
    assert refusal(bench, backup_id=backup_id) == message


def test_a_blocked_unit_refuses(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.switch(blocked='out of luck')

    assert refusal(bench, backup_id=backup_id) == 'Cluster or unit is in a blocking state'


def test_without_s3_there_is_no_restore(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.juju.remove_relation('postgresql:s3-parameters', f'{site.S3_POSTGRESQL}:s3-credentials')
    bench.settle()

    message = 'Relation with s3-integrator charm missing, cannot create/restore backup.'
    assert refusal(bench, backup_id=backup_id) == message


def test_a_list_that_cannot_be_read_is_refused(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.store.bucket.refuses_keys = True

    assert refusal(bench, backup_id=backup_id) == 'Failed to retrieve backups list'


# --- What goes wrong -----------------------------------------------------------------------------


def test_a_restore_that_fails_blocks_the_unit_for_good(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.site.postgresql_switches.fail_next('restore', postgresql_restore.FAILED, 'middle')

    bench.restore(backup_id)

    assert bench.statuses == {'postgresql/0': 'blocked Failed to restore backup'}
    message = 'Cluster or unit is in a blocking state'
    assert refusal(bench, backup_id=backup_id) == message
    assert bench.site.database == {}


def test_after_a_failed_restore_in_time_another_one_is_accepted(bench: site_bench.Bench):
    backup_id = bench.back_up()
    message = 'cannot restore PITR, juju debug-log for details'
    bench.site.postgresql_switches.fail_next('restore', message, 'middle')
    bench.restore(backup_id)
    assert bench.statuses == {'postgresql/0': f'blocked {message}'}

    bench.restore(backup_id)

    assert bench.statuses == PRIMARY


def test_a_person_may_clear_the_status_and_restore_again(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.site.postgresql_switches.fail_next('restore', postgresql_restore.FAILED, 'middle')
    bench.restore(backup_id)

    bench.juju.set_status(bench.juju.unit('postgresql/0'), 'active')
    bench.restore(backup_id)

    assert bench.statuses == PRIMARY


@pytest.mark.parametrize('what', ['backup.manifest', '2619.gz', '1-'])
def test_a_repository_that_lacks_something_fails_the_restore(bench: site_bench.Bench, what: str):
    backup_id = bench.back_up()
    bucket = bench.store.bucket
    gone = [
        key
        for key in bucket.objects
        if key.endswith(what) or (what == '1-' and '/16-1/' in key and '-' in key.split('/')[-1])
    ]
    assert gone
    for key in gone:
        del bucket.objects[key]

    bench.restore(backup_id)

    assert bench.statuses == {'postgresql/0': 'blocked Failed to restore backup'}


def test_a_changed_object_fails_the_restore(bench: site_bench.Bench):
    backup_id = bench.back_up()
    (key,) = [i.key for i in bench.store.list('backup/') if i.key.endswith('1260.gz')]
    bench.store.put(key, b'\0' + bench.store.get(key)[1:])

    bench.restore(backup_id)

    assert bench.statuses == {'postgresql/0': 'blocked Failed to restore backup'}


def test_a_backup_of_another_major_version_cannot_be_restored(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.site.postgresql_switches.version = '17.2'
    afresh = bench.start_afresh()

    afresh.restore(backup_id)

    assert afresh.statuses == {'postgresql/0': 'blocked Failed to restore backup'}


def test_a_restore_may_never_end(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.site.postgresql_switches.hang_next('restore')

    assert bench.run(0, 'restore', {'backup-id': backup_id}).status == 'completed'
    bench.advance(86400)

    assert bench.statuses == RESTORING


def test_a_failed_task_may_have_begun_a_restore(bench: site_bench.Bench):
    backup_id = bench.back_up()
    message = 'Failed to remove previous cluster information with error: timeout'
    bench.site.postgresql_switches.fail_next('restore', message, 'end')

    assert refusal(bench, backup_id=backup_id) == message
    bench.await_restore()

    assert [row[1] for row in bench.backups()] == ['full backup', 'restore']


def test_a_good_task_may_have_begun_nothing(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.site.postgresql_switches.make_nothing_next('restore')

    assert bench.run(0, 'restore', {'backup-id': backup_id}).status == 'completed'

    assert bench.statuses == PRIMARY


# --- Points in time ------------------------------------------------------------------------------


def test_the_last_backup_before_a_point_in_time_is_restored(bench: site_bench.Bench):
    bench.back_up()
    bench.advance(600)
    between = bench.juju.clock.now().strftime('%Y-%m-%d %H:%M:%S')
    bench.advance(600)
    bench.site.add_machine('daring-dog')
    bench.back_up()

    assert bench.run(0, 'restore', {'restore-to-time': between}).status == 'completed'
    bench.await_restore()

    assert bench.statuses == PRIMARY
    assert 'daring-dog' not in bench.site.database['machines']


def test_a_point_in_time_within_the_backup_cannot_be_reached(bench: site_bench.Bench):
    backup_id = bench.back_up()

    at = {'backup-id': backup_id, 'restore-to-time': '2020-01-01 00:00:00+00'}
    bench.run(0, 'restore', at)
    bench.await_restore()

    message = 'blocked cannot restore PITR, juju debug-log for details'
    assert bench.statuses == {'postgresql/0': message}


def test_a_point_in_time_must_be_one_and_lie_after_a_backup(bench: site_bench.Bench):
    bench.back_up()

    assert refusal(bench, restore_to_time='soon') == 'Bad restore-to-time format'
    at = '2020-01-01 00:00:00'
    message = f"Can't find the nearest timeline before timestamp {at} to restore"
    assert refusal(bench, restore_to_time=at) == message


# --- Another cluster's repository ----------------------------------------------------------------


def test_in_a_new_model_the_block_is_tolerated_and_stays_until_the_path_changes():
    lost = site_bench.deploy(units=1, regions=1)
    backup_id = lost.back_up()
    before = lost.site.fingerprint()
    bench = lost.start_afresh()
    assert bench.statuses == {'postgresql/0': f'blocked {ANOTHER}'}
    assert [row[0] for row in bench.backups()] == [backup_id]

    bench.give_passwords(lost.system_passwords())
    bench.restore(backup_id)
    assert bench.statuses == {'postgresql/0': f'blocked {ANOTHER}'}
    assert bench.site.database == before['database']
    assert bench.run(0, 'create-backup').message == 'Unit is in a blocking state'

    bench.juju.set_config(site.S3_POSTGRESQL, {'path': NEW_PATH})
    bench.settle()
    assert bench.statuses == PRIMARY
    assert bench.backups() == []
    assert bench.back_up()
    store = bench.s3.store_for({**site.connection('postgresql'), 'path': NEW_PATH})
    assert store.get('model-uuid.txt').decode() == bench.juju.uuid
    assert [item.key for item in store.list('archive/') if '-' in item.key.rpartition('/')[2]]
    row = bench.backups()[0]
    assert row[7] == '2', 'the new timeline is backed up'


def test_a_cluster_restored_in_a_new_model_does_not_get_the_old_repository_back():
    lost = site_bench.deploy(units=1, regions=1)
    backup_id = lost.back_up()
    bench = lost.start_afresh()
    bench.give_passwords(lost.system_passwords())
    bench.restore(backup_id)
    bench.juju.set_config(site.S3_POSTGRESQL, {'path': NEW_PATH})
    bench.settle()

    bench.juju.set_config(site.S3_POSTGRESQL, {'path': 'postgresql'})
    bench.settle()

    assert bench.statuses == {'postgresql/0': f'blocked {ANOTHER}'}
    bench.restore(backup_id)
    assert bench.site.database['machines'] == list(site.MACHINES)


def test_another_stanzas_repository_is_another_clusters(bench: site_bench.Bench):
    bench.store.put('backup/elsewhere.postgresql/backup.info', b'[backrest]\n')
    bench.juju.set_config(site.S3_POSTGRESQL, {'region': 'elsewhere'})
    bench.settle()

    assert bench.statuses == {'postgresql/0': f'blocked {ANOTHER}'}


def test_another_system_identifier_makes_another_cluster(bench: site_bench.Bench):
    bench.site.postgresql.update(**{'system-id': 42})
    bench.juju.set_config(site.S3_POSTGRESQL, {'region': 'elsewhere'})
    bench.settle()

    assert bench.statuses == {'postgresql/0': f'blocked {ANOTHER}'}


def test_replicas_that_join_a_blocked_cluster_keep_its_block():
    lost = site_bench.deploy(units=1, regions=1)
    lost.back_up()
    bench = lost.start_afresh()
    bench.juju.add_units(site.POSTGRESQL, 1)
    bench.settle()
    assert bench.statuses['postgresql/1'] == f'blocked {ANOTHER}'

    bench.juju.set_config(site.S3_POSTGRESQL, {'path': NEW_PATH})
    bench.settle()
    bench.juju.add_units(site.POSTGRESQL, 1)
    bench.settle()

    assert bench.statuses == {
        'postgresql/0': 'active Primary',
        'postgresql/1': f'blocked {ANOTHER}',
        'postgresql/2': 'active ',
    }


def test_a_path_that_changes_during_a_restore_is_used_after_it():
    lost = site_bench.deploy(units=1, regions=1)
    backup_id = lost.back_up()
    bench = lost.start_afresh()
    bench.give_passwords(lost.system_passwords())
    bench.run(0, 'restore', {'backup-id': backup_id})

    bench.juju.set_config(site.S3_POSTGRESQL, {'path': NEW_PATH})
    bench.settle()
    assert bench.statuses == RESTORING
    bench.await_restore()

    assert bench.statuses == PRIMARY
    assert bench.site.database['machines'] == list(site.MACHINES)


# --- Passwords -----------------------------------------------------------------------------------


def test_a_password_that_was_changed_since_keeps_the_restore_from_ending(
    bench: site_bench.Bench,
):
    backup_id = bench.back_up()
    bench.give_passwords({'monitoring': 'newer'})

    bench.restore(backup_id)

    assert bench.statuses == RESTORING


def test_with_another_models_passwords_the_restore_never_ends():
    lost = site_bench.deploy(units=1, regions=1)
    backup_id = lost.back_up()
    bench = lost.start_afresh()

    bench.restore(backup_id)
    bench.advance(3600)

    assert bench.statuses == RESTORING


def test_passwords_that_come_after_the_restore_come_too_late():
    lost = site_bench.deploy(units=1, regions=1)
    backup_id = lost.back_up()
    bench = lost.start_afresh()
    bench.restore(backup_id)

    bench.give_passwords(lost.system_passwords())

    blocked = {'postgresql/0': 'blocked Password update for system users failed.'}
    assert bench.statuses == blocked
    message = 'Cluster or unit is in a blocking state'
    assert refusal(bench, backup_id=backup_id) == message


def test_no_password_is_in_the_repository(bench: site_bench.Bench):
    bench.back_up()

    words = [word.encode() for word in bench.site.passwords.values()]
    for key, found in bench.store.bucket.objects.items():
        assert not [word for word in words if word in found.content], key
