"""The stand-in of maas-region restores, refuses, and misleads, as the charm does."""

from __future__ import annotations

import dataclasses

import pytest

from rehearsal import memory_store, model, site
from rehearsal.standins import installation, maas_backups
from tests.unit import site_bench

NO_VERSION = (
    'Failed to validate MAAS version from S3 backup. Check the juju debug-log for more detail.'
)
NO_IDS = (
    'Failed to update maas-region IDs from S3 backup. Check the juju debug-log for more detail.'
)
NO_PRESEEDS = (
    'Failed to download and extract preseeds from S3 backup. '
    'Check the juju debug-log for more detail.'
)
NO_IMAGES = (
    'Failed to download and extract images from S3 backup. '
    'Check the juju debug-log for more detail.'
)
WAITING = {('waiting', 'Waiting for database DSN')}


@dataclasses.dataclass
class Detached:
    """A site whose MAAS has been backed up and has no database now."""

    bench: site_bench.Bench
    backup_id: str
    controllers: list[str]

    def restore(self, unit: int = 0, backup_id: str = '', controller: str = '') -> model.Task:
        parameters = {
            'backup-id': backup_id or self.backup_id,
            'controller-id': controller or self.controllers[unit],
        }
        name = f'{site.MAAS}/{unit}'
        return site.run_action(self.bench.juju, name, 'restore-backup', parameters)

    def state(self, unit: int = 0) -> dict[str, list[str]]:
        return self.bench.site.maas.states[f'{site.MAAS}/{unit}']

    @property
    def store(self) -> memory_store.MemoryStore:
        return self.bench.s3.store_for(site.connection('maas'))

    def put(self, name: str, content: bytes) -> None:
        self.store.put(f'backup/{self.backup_id}/{name}', content)


@pytest.fixture
def detached() -> Detached:
    bench = site_bench.deploy(units=1)
    backup_id = bench.back_up_maas()
    bench.detach()
    return Detached(bench, backup_id, sorted(bench.site.database['controllers']))


def statuses(bench: site_bench.Bench) -> set[tuple[str, str]]:
    units = bench.site.maas.application.units.values()
    return {(unit.workload.current, unit.workload.message) for unit in units}


# --- What it does --------------------------------------------------------------------------------


def test_each_region_gets_an_id_the_images_and_the_preseeds_of_the_backup(detached: Detached):
    bench = detached.bench
    before = bench.site.fingerprint()
    for unit in bench.site.maas.application.units:
        bench.site.maas.update_unit(unit, **{'system-id': unit, 'images': ['x'], 'preseeds': []})

    tasks = bench.restore_regions(detached.backup_id, detached.controllers)

    assert [task.status for task in tasks] == ['completed'] * 3
    assert tasks[0].output['restore-status'] == 'restore finished'
    assert tasks[0].log[-1][1] == 'Region restore complete'
    assert bench.site.fingerprint() == before
    assert statuses(bench) == WAITING


def test_any_region_may_take_any_id(detached: Detached):
    assert detached.restore(2, controller=detached.controllers[0]).status == 'completed'

    assert detached.state(2)['system-id'] == detached.controllers[0]


def test_all_regions_end_active_after_the_relation_is_back(detached: Detached):
    bench = detached.bench
    bench.restore_regions(detached.backup_id, detached.controllers)

    bench.attach()

    assert statuses(bench) == {('active', '')}
    assert bench.site.maas_restarts == 6


def test_regions_restore_at_the_same_time(detached: Detached):
    bench = detached.bench
    bench.site.maas_switches.restore = 100.0
    begun = bench.juju.clock.now()
    tasks = [
        bench.juju.enqueue(
            [
                (
                    f'{site.MAAS}/{unit}',
                    'restore-backup',
                    {'backup-id': detached.backup_id, 'controller-id': controller},
                    False,
                    '',
                )
            ]
        ).tasks[0]
        for unit, controller in enumerate(detached.controllers)
    ]

    while not all(task.ended for task in tasks):
        assert statuses(bench) <= WAITING | {('maintenance', 'Restoring from backup...')}
        bench.advance(1)

    assert 100 <= (bench.juju.clock.now() - begun).total_seconds() < 110


# --- What it refuses -----------------------------------------------------------------------------


def test_both_parameters_are_required(detached: Detached):
    juju = detached.bench.juju

    for given, missing in (('backup-id', 'controller-id'), ('controller-id', 'backup-id')):
        with pytest.raises(model.ModelError, match=missing):
            juju.action_call('maas-region/0', 'restore-backup', {given: 'x'})


@pytest.mark.parametrize('name', ['backup-id', 'controller-id'])
def test_an_empty_parameter_is_refused(detached: Detached, name: str):
    parameters = {'backup-id': 'x', 'controller-id': 'y', name: ''}
    task = site.run_action(detached.bench.juju, 'maas-region/0', 'restore-backup', parameters)

    assert task.message == (
        f"Restore failed: The '{name}' parameter must be specified to perform a restore"
    )


def test_it_is_refused_while_the_database_is_related(detached: Detached):
    detached.bench.attach()

    task = detached.restore()

    assert task.status == 'failed'
    assert task.message == (
        'Restore failed: PostgreSQL relation still exists, please run:\n'
        'juju remove-relation maas-region postgresql\n'
        'then retry this action'
    )
    assert 'restore-status' not in task.output


def test_it_is_refused_while_the_unit_is_blocked(detached: Detached):
    detached.bench.site.maas.block('out of luck')
    detached.bench.settle()

    message = 'Restore failed: Cluster or unit is in a blocking state'
    assert detached.restore().message == message


def test_an_unknown_backup_is_refused(detached: Detached):
    task = detached.restore(backup_id='2020-01-01T00:00:00Z')

    assert task.message == 'Invalid backup-id: 2020-01-01T00:00:00Z'
    assert statuses(detached.bench) == WAITING


def test_without_s3_there_is_no_restore(detached: Detached):
    ends = (f'{site.MAAS}:s3-parameters', f'{site.S3_MAAS}:s3-credentials')
    detached.bench.juju.remove_relation(*ends)
    detached.bench.settle()

    assert detached.restore().message == (
        'Restore failed: Relation with s3-integrator charm missing, cannot create/restore backup.'
    )


def test_a_list_that_cannot_be_read_is_refused(detached: Detached):
    detached.store.bucket.refuses_keys = True

    assert detached.restore().message == 'Failed to retrieve backups list'


@pytest.mark.parametrize(
    ('installed', 'backed_up', 'fits'),
    [
        ('3.6.1', '3.6.1', True),
        ('3.6.2', '3.6.1', True),
        ('3.6.1', '3.6.2', False),
        ('3.7.1', '3.6.1', False),
        ('4.6.1', '3.6.1', False),
        # Compared as text: a newer point version counts as an older one, and the reverse.
        ('3.6.10', '3.6.9', False),
        ('3.6.9', '3.6.10', True),
    ],
)
def test_versions_are_compared_point_versions_as_text(
    detached: Detached, installed: str, backed_up: str, fits: bool
):
    metadata = f'{{"maas_snap_version": "{backed_up}", "success": true}}'
    detached.put(maas_backups.METADATA, metadata.encode())
    detached.bench.site.maas_switches.version = installed

    assert detached.restore().message == ('' if fits else NO_VERSION)


def test_there_must_be_as_many_regions_as_controllers(detached: Detached):
    detached.bench.juju.remove_unit('maas-region/2')
    detached.bench.settle()

    assert detached.restore().message == NO_IDS


def test_the_controller_must_be_one_of_the_backup(detached: Detached):
    before = detached.state()

    task = detached.restore(controller='zzzzzz')

    assert task.message == NO_IDS
    assert detached.state() == before


# --- What goes wrong -----------------------------------------------------------------------------


def test_a_failed_restore_calls_itself_finished(detached: Detached):
    task = detached.restore(controller='zzzzzz')

    assert task.status == 'failed'
    assert task.output['restore-status'] == 'restore finished'
    assert task.log[-1][1] == 'Region restore complete'


def test_what_was_there_is_removed_before_the_download(detached: Detached):
    detached.put(maas_backups.IMAGES, b'no archive')

    task = detached.restore()

    assert task.message == NO_IMAGES
    assert detached.state()['images'] == []
    assert detached.state()['preseeds'] == ['curtin', 'curtin_userdata', 'enlist']


@pytest.mark.parametrize('content', [b'', b'no archive', installation.named(())])
def test_an_archive_that_is_none_or_empty_fails(detached: Detached, content: bytes):
    detached.put(maas_backups.PRESEEDS, content)

    assert detached.restore().message == NO_PRESEEDS


def test_half_an_archive_fails(detached: Detached):
    whole = installation.named(('custom/alpine', 'custom/rocky'))
    detached.put(maas_backups.IMAGES, whole[: len(whole) // 2])

    assert detached.restore().message == NO_IMAGES


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        (maas_backups.METADATA, NO_VERSION),
        (maas_backups.CONTROLLERS, NO_IDS),
        (maas_backups.PRESEEDS, NO_PRESEEDS),
        (maas_backups.IMAGES, NO_IMAGES),
    ],
)
def test_a_missing_object_fails(detached: Detached, name: str, message: str):
    detached.store.delete(f'backup/{detached.backup_id}/{name}')

    assert detached.restore().message == message


def test_a_fault_in_the_middle_leaves_the_region_without_images(detached: Detached):
    detached.bench.site.maas_switches.fail_next('restore-backup', at='middle')

    assert detached.restore().message == NO_IMAGES
    assert detached.state()['images'] == []
    assert detached.restore().status == 'completed', 'only the next one fails'
    assert detached.state()['images']


def test_a_restore_that_hangs_has_removed_the_images_when_it_is_killed(detached: Detached):
    bench = detached.bench
    bench.site.maas_switches.hang_next('restore-backup')
    parameters = {'backup-id': detached.backup_id, 'controller-id': detached.controllers[1]}
    call = ('maas-region/0', 'restore-backup', parameters, False, '')
    task = bench.juju.enqueue([call]).tasks[0]
    bench.advance(3600)
    assert task.status == 'running'

    bench.juju.restart_agent('maas-region/0')
    bench.settle()

    assert task.status == 'failed'
    assert detached.state()['images'] == []
    assert detached.state()['system-id'] == detached.controllers[1]


def test_a_failed_task_may_have_restored_everything(detached: Detached):
    detached.bench.site.maas_switches.fail_next('restore-backup', 'exit status 1', 'end')
    detached.bench.site.maas.update_unit('maas-region/0', images=[])

    assert detached.restore().message == 'exit status 1'
    assert detached.state()['images']


def test_a_good_task_may_have_restored_nothing(detached: Detached):
    detached.bench.site.maas_switches.make_nothing_next('restore-backup')
    detached.bench.site.maas.update_unit('maas-region/0', images=[])

    assert detached.restore().status == 'completed'
    assert detached.state()['images'] == []


def test_without_the_file_of_a_custom_image_maas_never_gets_up(detached: Detached):
    bench = detached.bench
    bench.site.add_image('custom/alpine')
    bench.restore_regions(detached.backup_id, detached.controllers)

    bench.attach()
    bench.advance(3600)
    bench.settle()

    assert statuses(bench) == {('active', '')}, 'which proves nothing'
    assert bench.site.maas_restarts == 3, 'the others wait for their turn'
    message = 'MAAS is not initialized yet or failed to retrieve status'
    assert site.run_action(bench.juju, 'maas-region/1', 'get-maas-status').message == message

    for unit, state in bench.site.maas.states.items():
        bench.site.maas.update_unit(unit, images=[*state['images'], 'custom/alpine'])
    bench.site.maas.poke()
    bench.settle()
    assert statuses(bench) == {('active', '')}


def test_an_image_that_maas_can_download_again_may_be_missing(detached: Detached):
    bench = detached.bench
    bench.site.add_image('ubuntu/jammy/amd64')
    bench.restore_regions(detached.backup_id, detached.controllers)

    bench.attach()

    assert statuses(bench) == {('active', '')}


# --- How long MAAS is down -----------------------------------------------------------------------


def test_downtime_is_counted_from_the_relations_end_until_maas_is_up(detached: Detached):
    bench = detached.bench
    down = bench.site.maas_downtime
    bench.advance(100)
    assert all(100 <= bench.site.maas_downtime[unit] - down[unit] < 101 for unit in down)

    bench.attach()
    after = bench.site.maas_downtime
    bench.advance(1000)

    assert bench.site.maas_downtime == after
    assert len(set(after.values())) == 3, 'they come up one after the other'


def test_a_deployment_is_no_downtime():
    assert set(site_bench.deploy(units=1).site.maas_downtime.values()) == {0.0}


def test_a_move_of_the_primary_is_a_short_one():
    bench = site_bench.deploy(units=2)

    bench.remove(0)

    assert set(bench.site.maas_downtime.values()) == {1.0}
