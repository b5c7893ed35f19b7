"""The stand-in of postgresql tells its own repository and passwords from another cluster's."""

from __future__ import annotations

import pytest

from rehearsal import contents, site
from tests.unit import site_bench

ANOTHER = 'the S3 repository has backups from another cluster'
NEW_PATH = 'postgresql-restored-1'
PRIMARY = {'postgresql/0': 'active Primary'}
RESTORING = {'postgresql/0': 'maintenance restoring backup'}


@pytest.fixture
def bench() -> site_bench.Bench:
    return site_bench.deploy(units=1, regions=1)


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
    assert bench.site.database['machines'] == list(contents.MACHINES)


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
    assert bench.site.database['machines'] == list(contents.MACHINES)


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
    assert bench.refusal(backup_id=backup_id) == message


def test_no_password_is_in_the_repository(bench: site_bench.Bench):
    bench.back_up()

    words = [word.encode() for word in bench.site.passwords.values()]
    for key, found in bench.store.bucket.objects.items():
        assert not [word for word in words if word in found.content], key
