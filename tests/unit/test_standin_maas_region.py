"""The stand-in of maas-region backs up, lists, refuses and restarts as the charm does."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from rehearsal import memory_store, model, site
from tests.unit import site_bench

SEE_LOG = ' Please check the juju debug-log for more details.'


@pytest.fixture
def bench() -> site_bench.Bench:
    return site_bench.deploy(units=1)


def store_of(bench: site_bench.Bench) -> memory_store.MemoryStore:
    return bench.s3.store_for(site.connection('maas'))


def run(bench: site_bench.Bench, action: str, unit: int = 0) -> model.Task:
    return site.run_action(bench.juju, f'{site.MAAS}/{unit}', action)


def rows(bench: site_bench.Bench) -> list[list[str]]:
    table = run(bench, 'list-backups', unit=2).output['backups']
    return [[cell.strip() for cell in line.split('|')] for line in table.splitlines()[5:]]


def new_backup(bench: site_bench.Bench) -> str:
    return run(bench, 'create-backup').output['backups'].rpartition(' ')[2]


def statuses(bench: site_bench.Bench) -> set[tuple[str, str]]:
    units = bench.site.maas.application.units.values()
    return {(unit.workload.current, unit.workload.message) for unit in units}


def test_a_backup_is_four_objects_and_its_id_ends_the_result(bench: site_bench.Bench):
    task = run(bench, 'create-backup')

    backup_id = task.output['backups'].removeprefix('backup created with id ')
    keys = [item.key for item in store_of(bench).list(f'backup/{backup_id}/')]
    assert keys == [
        f'backup/{backup_id}/{name}'
        for name in (
            'backup_metadata.json',
            'controllers.txt',
            'image-storage.tar.gz',
            'preseeds.tar.gz',
        )
    ]
    assert task.log[-1][1] == f'Backup succeeded with backup-id {backup_id}'
    assert store_of(bench).head('backup/latest').size


def test_the_metadata_tells_version_unit_and_success(bench: site_bench.Bench):
    backup_id = new_backup(bench)

    text = store_of(bench).get(f'backup/{backup_id}/backup_metadata.json')

    assert json.loads(text) == {
        'maas_snap_version': '3.6.1',
        'maas_snap_channel': '3.6/stable',
        'unit_name': 'maas-region/0',
        'juju_version': bench.juju.version,
        'success': True,
    }


def test_the_controllers_are_the_regions_system_ids_sorted(bench: site_bench.Bench):
    backup_id = new_backup(bench)

    ids = store_of(bench).get(f'backup/{backup_id}/controllers.txt').decode().split('\n')

    assert ids == sorted(bench.site.database['controllers'])


def test_the_archives_hold_the_images_and_preseeds(bench: site_bench.Bench):
    bench.site.add_image('custom/alpine')
    site.settle(bench.juju)
    backup_id = new_backup(bench)

    def names(archive: str) -> list[str]:
        packed = store_of(bench).get(f'backup/{backup_id}/{archive}')
        with tarfile.open(fileobj=io.BytesIO(packed), mode='r:gz') as tar:
            return tar.getnames()

    assert sorted(names('image-storage.tar.gz')) == sorted(bench.site.database['images'])
    assert 'curtin' in names('preseeds.tar.gz')


def test_finished_backups_are_listed_with_version_size_and_controllers(bench: site_bench.Bench):
    ids = [new_backup(bench), new_backup(bench)]

    listed = rows(bench)

    assert [row[0] for row in listed] == ids
    assert listed[0][1:4] == ['full backup', 'finished', '3.6.1']
    assert listed[0][4].endswith('KiB')
    assert listed[0][5].split(', ') == sorted(bench.site.database['controllers'])
    assert listed[0][6] == f'/maas/backup/{ids[0]}'


def test_a_stray_object_makes_the_list_call_a_backup_failed(bench: site_bench.Bench):
    backup_id = new_backup(bench)
    store_of(bench).put(f'backup/{backup_id}/notes.txt', b'do not delete')

    assert rows(bench)[0][2] == 'failed'


def test_only_the_leader_backs_up(bench: site_bench.Bench):
    assert run(bench, 'create-backup', unit=1).message == 'Unit is not the leader'


def test_a_blocked_leader_refuses(bench: site_bench.Bench):
    bench.site.maas.block('out of luck')
    site.settle(bench.juju, ('active', 'blocked'))

    assert statuses(bench) == {('blocked', 'out of luck')}
    assert run(bench, 'create-backup').message == 'Unit is in a blocking state'


def test_without_s3_there_is_no_backup(bench: site_bench.Bench):
    bench.juju.remove_relation(f'{site.MAAS}:s3-parameters', f'{site.S3_MAAS}:s3-credentials')
    site.settle(bench.juju)

    message = 'Relation with s3-integrator charm missing, cannot create/restore backup.'
    assert run(bench, 'create-backup').message == message


def test_missing_keys_are_named():
    bench = site_bench.deploy(units=1, settle=False)
    for task in bench.juju.tasks.values():
        bench.juju.cancel(task)
    bench.advance(60)

    message = run(bench, 'create-backup').message
    assert message == "Missing S3 parameters: ['access-key', 'secret-key']"


def test_a_bucket_that_denies_writes_fails_the_backup(bench: site_bench.Bench):
    store_of(bench).bucket.refuses_writes = True

    message = f'Failed to upload metadata to provided S3.{SEE_LOG}'
    assert run(bench, 'create-backup').message == message


def test_a_bucket_that_does_not_exist_blocks_the_leader():
    bench = site_bench.deploy(units=1, settle=False)
    store_of(bench).bucket.exists = False

    site.settle(bench.juju, ('active', 'blocked'))

    message = 'failed to access/create the bucket, check your S3 settings'
    assert statuses(bench) == {('active', ''), ('blocked', message)}


def test_a_backup_that_fails_in_the_middle_says_so_in_its_metadata(bench: site_bench.Bench):
    bench.site.maas_switches.fail_next('create-backup', at='middle')

    task = run(bench, 'create-backup')

    assert task.message == f'Failed to archive and upload MAAS files to S3.{SEE_LOG}'
    assert 'backups' not in task.output
    (row,) = rows(bench)
    assert row[2] == 'failed'
    (key,) = [i.key for i in store_of(bench).list('backup/') if i.key.endswith('.json')]
    assert json.loads(store_of(bench).get(key))['success'] is False


def test_a_good_task_may_have_made_nothing(bench: site_bench.Bench):
    bench.site.maas_switches.make_nothing_next('create-backup')

    assert run(bench, 'create-backup').status == 'completed'
    assert rows(bench) == []


def test_a_backup_restarts_no_region(bench: site_bench.Bench):
    before = bench.site.maas_restarts

    run(bench, 'create-backup')
    site.settle(bench.juju)

    assert bench.site.maas_restarts == before == 3


def test_regions_are_initialised_one_at_a_time():
    bench = site_bench.deploy(units=1, settle=False)
    bench.site.maas_switches.initialise = 5.0
    busiest = 0
    while bench.site.maas_restarts < 3:
        bench.advance(1)
        units = bench.site.maas.application.units.values()
        busy = [u for u in units if u.workload.message == 'Initializing the MAAS database']
        busiest = max(busiest, len(busy))

    assert busiest == 1


def test_without_its_database_maas_is_down_until_the_relation_is_back(bench: site_bench.Bench):
    ends = (f'{site.MAAS}:maas-db', f'{site.POSTGRESQL}:database')
    bench.juju.remove_relation(*ends)
    site.settle(bench.juju, ('active', 'waiting'))
    assert statuses(bench) == {('waiting', 'Waiting for database DSN')}
    message = 'MAAS is not initialized yet or failed to retrieve status'
    assert run(bench, 'get-maas-status').message == message

    bench.juju.integrate(*ends)
    site.settle(bench.juju)

    assert statuses(bench) == {('active', '')}
    assert bench.site.maas_restarts == 6
    services = run(bench, 'get-maas-status').output['services']
    assert services['regiond']['current'] == 'active'


def test_the_api_endpoint_is_the_units(bench: site_bench.Bench):
    address = bench.juju.unit('maas-region/1').machine.address

    url = run(bench, 'get-api-endpoint', unit=1).output['api-url']

    assert url == f'http://{address}:5240/MAAS'


# --- What its list makes of a path, and of what it finds there -----------------------------------


def aimed_at(path: str, **switches: bool) -> site_bench.Bench:
    bench = site_bench.deploy(units=1)
    for name, value in switches.items():
        setattr(bench.site.maas_switches, name, value)
    bench.juju.set_config(site.S3_MAAS, {'path': path})
    site.settle(bench.juju)
    return bench


def test_without_a_path_it_writes_a_backup_that_it_never_lists():
    bench = aimed_at('')
    backup_id = new_backup(bench)
    assert f'backup/{backup_id}/controllers.txt' in bench.s3.bucket('maas-backups').objects
    assert rows(bench) == []


def test_an_old_revision_strips_the_digits_of_the_path_from_ids():
    bench = aimed_at('maas-2', strips_ids=True)
    backup_id = new_backup(bench)
    assert [row[0] for row in rows(bench)] == [backup_id.removeprefix('2')]


def test_an_old_revision_leaves_ids_alone_where_the_path_has_no_digits():
    bench = aimed_at('maas', strips_ids=True)
    backup_id = new_backup(bench)
    assert [row[0] for row in rows(bench)] == [backup_id]


@pytest.mark.parametrize(
    ('name', 'content'), [('controllers.txt', b''), ('backup_metadata.json', b'{"success": tru')]
)
def test_a_folder_of_no_bytes_or_with_broken_metadata_breaks_its_list(name: str, content: bytes):
    bench = aimed_at('maas')
    store_of(bench).put(f'backup/2020-01-01T00:00:00Z/{name}', content)
    task = run(bench, 'list-backups')
    assert (task.status, task.message) == ('failed', 'exit status 1')
