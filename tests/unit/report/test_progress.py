"""Progress: from bytes in S3 where there are any, else from earlier runs; always an estimate."""

from __future__ import annotations

import dataclasses
import datetime
import json

import pytest

from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.report import operation_report, progress
from coordinator.steps.maas_region import files_backup
from coordinator.steps.postgresql import database_backup
from tests import worlds

STANZA = 'backup/maas.postgresql/'
OLD, NEW = '20260821-101500F', '20260822-101600F'
BEFORE = progress.Before(
    {'back-up-postgresql': 100, 'back-up-maas': 40, 'verify': 20, 'check': 1},
    {'back-up-postgresql': 1000, 'back-up-maas': 400},
)


def later(seconds: int) -> datetime.datetime:
    return worlds.START + datetime.timedelta(seconds=seconds)


def at(step: str) -> operation.Operation:
    names = plans.BACKUP_ALL.names
    op = operation.Operation.new(
        worlds.BEGAN, 'backup-all', names, worlds.CONFIG, worlds.START
    ).remembering(
        {database_backup.NEWEST_LABEL: OLD, files_backup.CHANGED: '2026-08-22T09:59:00+00:00'}
    )
    return op.moving_to(step).beginning(0, {}, worlds.START)


@pytest.fixture
def world() -> worlds.StoredWorld:
    return worlds.StoredWorld()


def made(
    op: operation.Operation, seconds: int, world: ports.World | None = None
) -> progress.Progress:
    found = progress.of(op, BEFORE, later(seconds), world)
    assert found is not None
    return found


def test_without_bytes_the_time_of_the_last_run_tells():
    found = made(at('back-up-postgresql'), 25)
    assert (found.seconds, found.expected_seconds, found.bytes) == (25, 100, None)
    assert (found.share, found.seconds_left) == (0.25, 75)
    assert found.operation_seconds_left == 75 + 40 + 20


def test_bytes_in_s3_tell_more_than_time(world: worlds.StoredWorld):
    world.postgresql_store.put(f'{STANZA}{OLD}/pg_data/1', bytes(900))
    world.postgresql_store.put(f'{STANZA}{NEW}/pg_data/1', bytes(150))
    world.postgresql_store.put(f'{STANZA}{NEW}/pg_data/2', bytes(50))
    found = made(at('back-up-postgresql'), 50, world)
    assert (found.bytes, found.expected_bytes, found.share) == (200, 1000, 0.2)
    assert found.seconds_left == 200


def test_a_backup_that_has_stored_nothing_yet_is_not_the_one_before(world: worlds.StoredWorld):
    world.postgresql_store.put(f'{STANZA}{OLD}/pg_data/1', bytes(900))
    found = made(at('back-up-postgresql'), 50, world)
    assert (found.bytes, found.share) == (0, 0.5)


def test_files_that_maas_has_stored_since_the_step_began_count(world: worlds.StoredWorld):
    world.maas_store.put('backup/2026-08-22T10:16:00Z/preseeds.tar.gz', bytes(100))
    found = made(at('back-up-maas'), 10, world)
    assert (found.bytes, found.share) == (100, 0.25)


def test_parts_of_objects_that_are_being_uploaded_count(world: worlds.StoredWorld):
    world.postgresql_store.put(f'{STANZA}{NEW}/pg_data/1', bytes(100))
    world.bucket.upload_part(f'postgresql/{STANZA}{NEW}/pg_data/2', 50)
    world.bucket.upload_part(f'postgresql/{STANZA}{NEW}/pg_data/2', 50)
    world.bucket.upload_part(f'postgresql/{STANZA}{OLD}/pg_data/2', 700)
    world.bucket.upload_part('maas/backup/2026-08-22T10:16:00Z/images.tar.gz', 80)
    assert made(at('back-up-postgresql'), 50, world).bytes == 200
    assert made(at('back-up-maas'), 50, world).bytes == 80


def test_the_first_object_counts_while_it_is_being_uploaded(world: worlds.StoredWorld):
    world.bucket.upload_part(f'postgresql/{STANZA}{NEW}/pg_data/1', 30)
    assert made(at('back-up-postgresql'), 50, world).bytes == 30


def test_parts_of_an_upload_that_was_given_up_long_ago_do_not_count(world: worlds.StoredWorld):
    since = at('back-up-maas').remembering({files_backup.CHANGED: '2026-08-22T10:16:00+00:00'})
    world.bucket.now = lambda: worlds.START
    world.bucket.upload_part('maas/backup/2026-08-21T10:16:00Z/images.tar.gz', 80)
    assert made(since, 50, world).bytes == 0


def test_a_server_that_lists_no_uploads_leaves_the_objects(world: worlds.StoredWorld):
    world.postgresql_store.put(f'{STANZA}{NEW}/pg_data/1', bytes(100))
    world.bucket.upload_part(f'postgresql/{STANZA}{NEW}/pg_data/2', 50)
    world.bucket.lists_uploads = False
    assert made(at('back-up-postgresql'), 50, world).bytes == 100


def test_more_than_the_last_time_is_never_all_of_it():
    assert made(at('back-up-postgresql'), 1000).share == 0.99
    assert made(at('back-up-postgresql'), 1000).seconds_left == 0


def test_of_the_first_run_only_the_time_is_told():
    found = progress.of(at('back-up-postgresql'), progress.Before(), later(7), None)
    assert found == progress.Progress('back-up-postgresql', 7)
    assert str(found) == ''


def test_a_quick_step_has_no_bar():
    assert made(at('check'), 1).share is None


def test_s3_that_does_not_answer_leaves_the_time(world: worlds.StoredWorld):
    class Silent(worlds.StoredWorld):
        @property
        def postgresql_store(self) -> ports.ObjectStore:
            raise errors.StoreUnavailable('S3 does not answer')

    found = made(at('back-up-postgresql'), 25, Silent())
    assert (found.bytes, found.share) == (None, 0.25)


@pytest.mark.parametrize(
    'op',
    [
        at('back-up-postgresql').held('x'),
        at('back-up-postgresql').turning_back('x'),
        at('back-up-postgresql').ending(operation.FAILED, worlds.START),
    ],
)
def test_what_goes_not_forward_has_no_progress(op: operation.Operation):
    assert progress.of(op, BEFORE, later(1), None) is None


def test_people_see_a_bar_and_that_it_is_an_estimate():
    found = dataclasses.replace(made(at('back-up-postgresql'), 25), bytes=250 << 20)
    text = operation_report.operation_text(
        at('back-up-postgresql'), 'coordinator', later(25), ahead=found
    )
    assert (
        'progress: back-up-postgresql [#####---------------] about 25%, 250.0 MiB of about '
        '1000 B; left, estimated: this step about 1 min 15 s, all steps about 2 min 15 s'
    ) in text


def test_programs_get_numbers():
    told = json.loads(
        operation_report.operation_json(
            at('back-up-postgresql'), ahead=made(at('back-up-postgresql'), 25)
        )
    )
    assert told['progress'] == {
        'step': 'back-up-postgresql',
        'seconds': 25,
        'expected-seconds': 100,
        'bytes': None,
        'expected-bytes': 1000,
        'share': 0.25,
        'seconds-left': 75,
        'operation-seconds-left': 135,
        'estimate': True,
    }
