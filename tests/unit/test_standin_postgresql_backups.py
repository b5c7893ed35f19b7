"""The stand-in of postgresql backs up, lists and refuses as the charm does."""

from __future__ import annotations

import pytest

from rehearsal import clock, model, site
from tests.unit import site_bench


def test_one_unit_is_backed_up_on_its_primary():
    bench = site_bench.deploy(units=1)

    task = bench.run(0, 'create-backup')

    assert task.status == 'completed'
    assert task.output['backup-status'] == 'backup created'
    assert not any('Z' in str(value) for value in task.output.values()), 'no id in the result'
    (row,) = bench.backups()
    assert row[1:3] == ['full backup', 'finished']
    assert row[-1].startswith('/maas.postgresql/')


def test_the_primary_of_three_refuses_a_backup():
    task = site_bench.deploy().run(0, 'create-backup')

    assert task.status == 'failed'
    assert task.message == 'Unit cannot perform backups as it is the cluster primary'
    assert 'backup-status' not in task.output


def test_a_replica_of_three_is_backed_up():
    bench = site_bench.deploy()

    assert bench.run(1, 'create-backup').status == 'completed'
    assert len(bench.backups()) == 1


def test_the_message_primary_is_gone_after_a_backup_until_the_next_hook():
    bench = site_bench.deploy(units=1)
    assert bench.statuses == {'postgresql/0': 'active Primary'}

    bench.run(0, 'create-backup')
    assert bench.statuses == {'postgresql/0': 'active '}

    bench.switch()
    assert bench.statuses == {'postgresql/0': 'active Primary'}


def test_a_backup_is_refused_while_the_unit_is_blocked():
    bench = site_bench.deploy(units=1)
    bench.switch(blocked='out of luck')

    assert bench.run(0, 'create-backup').message == 'Unit is in a blocking state'


def test_a_backup_is_refused_while_patroni_does_not_answer():
    bench = site_bench.deploy(units=1)
    bench.switch(no_primary=True)

    task = bench.run(0, 'create-backup')
    assert task.message == 'Unit cannot perform backups as the database seems to be offline'
    assert 'primary' not in bench.run(0, 'get-primary').output


def test_a_backup_is_refused_before_the_stanza_is_initialised():
    bench = site_bench.deploy(units=1, settle=False)
    bench.site.postgresql_switches.stanza = 1000.0
    while bench.juju.unit('postgresql/0').workload.message != 'checking stanza':
        bench.advance(1)
    bench.juju.restart_agent('postgresql/0')

    task = bench.juju.enqueue([('postgresql/0', 'create-backup', {}, False, '')]).tasks[0]
    bench.advance(0.5)

    assert task.message == 'Stanza was not initialised'


def test_a_backup_is_refused_without_the_relation_to_s3():
    bench = site_bench.deploy(units=1)
    bench.juju.remove_relation('postgresql:s3-parameters', f'{site.S3_POSTGRESQL}:s3-credentials')
    site.settle(bench.juju)

    assert bench.run(0, 'create-backup').message == 'Stanza was not initialised'
    assert bench.run(0, 'list-backups').message == (
        'Relation with s3-integrator charm missing, cannot create/restore backup.'
    )


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        (
            'whole',
            'Invalid backup type: whole. Possible values: full, differential, incremental.',
        ),
        (
            'incremental',
            'Invalid backup type: incremental. No previous full backup to reference.',
        ),
    ],
)
def test_a_wrong_type_is_refused(kind: str, message: str):
    assert site_bench.deploy(units=1).run(0, 'create-backup', {'type': kind}).message == message


def test_a_bucket_that_denies_writes_fails_a_backup():
    bench = site_bench.deploy(units=1)
    bench.store.bucket.refuses_writes = True

    assert bench.run(0, 'create-backup').message == 'Failed to upload metadata to provided S3'
    assert bench.statuses == {'postgresql/0': 'active Primary'}


def test_backups_of_all_types_and_restores_are_listed_in_order():
    bench = site_bench.deploy(units=1)
    for kind in ('full', 'differential', 'incremental'):
        bench.run(0, 'create-backup', {'type': kind})
    bench.store.put('archive/maas.postgresql/16-1/00000002.history', b'1\t0/3000000\n')

    rows = bench.backups()

    assert [row[1] for row in rows] == [
        'full backup',
        'differential backup',
        'incremental backup',
        'restore',
    ]
    assert rows[1][3] == rows[0][0], 'the differential one refers to the full one'
    assert rows[3][2:] == ['finished', 'None', 'n/a', rows[3][0], 'n/a', '2', 'n/a']
    assert rows == sorted(rows)


def test_the_table_has_the_charms_columns():
    bench = site_bench.deploy(units=1)

    lines = bench.run(0, 'list-backups').output['backups'].splitlines()

    assert lines[:2] == [
        'Storage bucket name: postgresql-backups',
        'Backups base path: /postgresql/backup/',
    ]
    assert [name.strip() for name in lines[3].split('|')] == [
        'backup-id', 'action', 'status', 'reference-backup-id', 'LSN start/stop', 'start-time',
        'finish-time', 'timeline', 'backup-path',
    ]  # fmt: skip


def test_the_repository_of_another_model_blocks_the_leader_but_is_listed():
    bench = site_bench.deploy(units=1, settle=False)
    other = clock.VirtualClock()
    elsewhere = model.Model('maas', other)
    site.deploy_site(elsewhere, postgresql_units=1, store_for=bench.s3.store_for)
    site.settle(elsewhere)
    site.run_action(elsewhere, 'postgresql/0', 'create-backup')

    site.settle(bench.juju, ('active', 'blocked'))

    blocked = 'blocked the S3 repository has backups from another cluster'
    assert bench.statuses == {'postgresql/0': blocked}
    assert bench.run(0, 'create-backup').message == 'Unit is in a blocking state'
    assert len(bench.backups()) == 1

    bench.juju.set_config(site.S3_POSTGRESQL, {'path': 'postgresql-restored-1'})
    site.settle(bench.juju)
    assert bench.statuses == {'postgresql/0': 'active Primary'}
    assert bench.backups() == []


def test_a_missing_bucket_blocks_the_leader():
    bench = site_bench.deploy(units=1, settle=False)
    bench.store.bucket.exists = False

    site.settle(bench.juju, ('active', 'blocked'))

    message = 'failed to access/create the bucket, check your S3 settings'
    assert bench.statuses == {'postgresql/0': f'blocked {message}'}


def test_s3_that_does_not_answer_is_tried_again():
    bench = site_bench.deploy(units=1, settle=False)
    bench.store.bucket.unavailable = 3

    site.settle(bench.juju)

    assert bench.store.get('model-uuid.txt').decode() == bench.juju.uuid


def test_a_backup_that_fails_in_the_middle_leaves_a_log_and_no_backup():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.fail_next('create-backup', 'ERROR: [082]: timeout', 'middle')

    task = bench.run(0, 'create-backup')

    assert task.message == 'Failed to backup PostgreSQL with error: ERROR: [082]: timeout'
    assert bench.backups() == []
    assert any(item.key.endswith('/backup.log') for item in bench.store.list('backup/'))
    assert bench.run(0, 'create-backup').status == 'completed', 'only the next one fails'


def test_a_failed_task_may_have_made_a_finished_backup():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.fail_next('create-backup', 'Error uploading logs to S3', 'end')

    assert bench.run(0, 'create-backup').status == 'failed'
    assert bench.backups()[0][2] == 'finished'


def test_a_good_task_may_have_made_nothing():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.make_nothing_next('create-backup')

    assert bench.run(0, 'create-backup').status == 'completed'
    assert bench.backups() == []


def test_a_backup_that_hangs_can_be_cancelled():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.hang_next('create-backup')
    task = bench.juju.enqueue([('postgresql/0', 'create-backup', {}, False, '')]).tasks[0]
    bench.advance(86400)
    assert task.status == 'running'

    bench.juju.cancel(task)
    site.settle(bench.juju)

    assert task.status == 'aborted'
    assert bench.backups() == []


def test_switches_are_set_by_name():
    switches = site_bench.deploy(units=1, settle=False).site.postgresql_switches

    switches.set('backup', '120')
    switches.set('no_primary', 'true')
    switches.set('blocked', 'out of luck')

    assert (switches.backup, switches.no_primary, switches.blocked) == (120.0, True, 'out of luck')
    with pytest.raises(ValueError, match="no switch 'faults'"):
        switches.set('faults', '')
    with pytest.raises(ValueError, match='true or false'):
        switches.set('bundle', 'perhaps')
