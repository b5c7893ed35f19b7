"""The stand-in of postgresql restores, refuses, and shows what it does, as the charm does."""

from __future__ import annotations

import pytest

from rehearsal import site
from tests.unit import site_bench

PRIMARY = {'postgresql/0': 'active Primary'}
RESTORING = {'postgresql/0': 'maintenance restoring backup'}


@pytest.fixture
def bench() -> site_bench.Bench:
    return site_bench.deploy(units=1, regions=1)


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
    bench.site.postgresql_switches.restore = 60.0
    backup_id = bench.back_up()
    bench.run(0, 'restore', {'backup-id': backup_id})
    bench.juju.add_units(site.POSTGRESQL, 1)
    bench.settle()
    assert bench.statuses == {
        'postgresql/0': 'maintenance restoring backup',
        'postgresql/1': 'waiting awaiting for member to start',
    }

    bench.await_restore()

    assert bench.statuses == {'postgresql/0': 'active Primary', 'postgresql/1': 'active '}


# --- What it refuses -----------------------------------------------------------------------------


def test_a_backup_or_a_time_must_be_named(bench: site_bench.Bench):
    assert bench.refusal() == (
        'Either backup-id or restore-to-time parameters need to be provided to be able to do '
        'restore'
    )


def test_an_unknown_backup_is_refused(bench: site_bench.Bench):
    bench.back_up()

    assert bench.refusal(backup_id='2020-01-01T00:00:00Z') == (
        'Invalid backup-id: 2020-01-01T00:00:00Z'
    )
    assert bench.statuses == PRIMARY


def test_a_restore_of_the_list_is_no_backup(bench: site_bench.Bench):
    bench.restore(bench.back_up())
    row = bench.backups()[-1]
    assert row[1] == 'restore'

    message = 'Cannot restore to the timeline without restore-to-time parameter'
    assert bench.refusal(backup_id=row[0]) == message


def test_two_units_are_too_many():
    bench = site_bench.deploy(units=2, regions=1)
    bench.run(1, 'create-backup')

    message = 'Unit cannot restore backup as there are more than one unit in the cluster'
    assert bench.refusal(backup_id=bench.backups()[0][0]) == message


def test_only_the_leader_restores(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.juju.application(site.POSTGRESQL).leader = 'postgresql/9'

    message = 'Unit cannot restore backup as it was not elected the leader unit yet'
    assert bench.refusal(backup_id=backup_id) == message


def test_a_blocked_unit_refuses(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.switch(blocked='out of luck')

    assert bench.refusal(backup_id=backup_id) == 'Cluster or unit is in a blocking state'


def test_without_s3_there_is_no_restore(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.juju.remove_relation('postgresql:s3-parameters', f'{site.S3_POSTGRESQL}:s3-credentials')
    bench.settle()

    message = 'Relation with s3-integrator charm missing, cannot create/restore backup.'
    assert bench.refusal(backup_id=backup_id) == message


def test_a_list_that_cannot_be_read_is_refused(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.store.bucket.refuses_keys = True

    assert bench.refusal(backup_id=backup_id) == 'Failed to retrieve backups list'
