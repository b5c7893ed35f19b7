"""A restore of the stand-in of postgresql fails, and misses its time, as the charm's does."""

from __future__ import annotations

import pytest

from rehearsal.standins import body
from tests.unit import site_bench

PRIMARY = {'postgresql/0': 'active Primary'}
RESTORING = {'postgresql/0': 'maintenance restoring backup'}


@pytest.fixture
def bench() -> site_bench.Bench:
    return site_bench.deploy(units=1, regions=1)


# --- What goes wrong -----------------------------------------------------------------------------


def test_a_restore_that_fails_blocks_the_unit_for_good(bench: site_bench.Bench):
    backup_id = bench.back_up()
    bench.site.postgresql_switches.fail_next('restore', body.RESTORE_FAILED, 'middle')

    bench.restore(backup_id)

    assert bench.statuses == {'postgresql/0': 'blocked Failed to restore backup'}
    message = 'Cluster or unit is in a blocking state'
    assert bench.refusal(backup_id=backup_id) == message
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
    bench.site.postgresql_switches.fail_next('restore', body.RESTORE_FAILED, 'middle')
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
        if key.endswith((what, f'{what}.copy'))
        or (what == '1-' and '/16-1/' in key and '-' in key.split('/')[-1])
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

    assert bench.refusal(backup_id=backup_id) == message
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

    assert bench.refusal(restore_to_time='soon') == 'Bad restore-to-time format'
    at = '2020-01-01 00:00:00'
    message = f"Can't find the nearest timeline before timestamp {at} to restore"
    assert bench.refusal(restore_to_time=at) == message
