"""What maas-region's create-backup leaves in S3, and when it counts as finished."""

from __future__ import annotations

import datetime
import json

import pytest

from coordinator import errors
from coordinator.parts import maas_backup
from rehearsal import clock, memory_store

OLD, NEW = '2026-08-22T10:00:00Z', '2026-08-22T11:00:00Z'
METADATA: dict[str, object] = {
    'maas_snap_version': '3.6.1-17600-g.5f8a0c1',
    'unit_name': 'maas-region/0',
    'success': True,
}
CONTENT: dict[str, bytes] = {
    'backup_metadata.json': json.dumps(METADATA).encode(),
    'controllers.txt': b'aqd3bw\n4y3h7n\n8kpx6c\n',
    'image-storage.tar.gz': b'images',
    'preseeds.tar.gz': b'preseeds',
}


@pytest.fixture
def time() -> clock.VirtualClock:
    return clock.VirtualClock(datetime.datetime(2026, 8, 22, 10, tzinfo=datetime.UTC))


@pytest.fixture
def store(time: clock.VirtualClock) -> memory_store.MemoryStore:
    return memory_store.MemoryStore(memory_store.MemoryBucket(now=time.now), 'maas')


def leave(store: memory_store.MemoryStore, backup_id: str = OLD) -> None:
    """Leave a finished backup as maas-region does."""
    store.put('backup/latest', b'probe')
    for name, content in CONTENT.items():
        store.put(f'backup/{backup_id}/{name}', content)


def overwrite(store: memory_store.MemoryStore, name: str, content: bytes) -> None:
    store.put(f'backup/{OLD}/{name}', content)


def test_a_finished_backup_is_read(store: memory_store.MemoryStore):
    leave(store)
    backup = maas_backup.read(store, OLD)
    assert (backup.id, backup.maas_version) == (OLD, '3.6.1-17600-g.5f8a0c1')
    assert backup.controllers == ('4y3h7n', '8kpx6c', 'aqd3bw')
    assert backup.bytes == sum(map(len, CONTENT.values()))
    assert [item.key for item in backup.objects] == [f'backup/{OLD}/{name}' for name in CONTENT]


@pytest.mark.parametrize('name', maas_backup.OBJECTS)
def test_a_backup_without_one_of_its_objects_is_not_finished(
    store: memory_store.MemoryStore, name: str
):
    leave(store)
    store.delete(f'backup/{OLD}/{name}')
    with pytest.raises(errors.StepError, match=f'{name} is missing: the backup is not finished'):
        maas_backup.read(store, OLD)


@pytest.mark.parametrize('name', maas_backup.OBJECTS)
def test_a_backup_with_an_empty_object_is_not_usable(store: memory_store.MemoryStore, name: str):
    leave(store)
    overwrite(store, name, b'')
    with pytest.raises(errors.StepError, match=f'{name} is empty: the backup is not usable'):
        maas_backup.read(store, OLD)


@pytest.mark.parametrize('success', [False, None, 'true', 1])
def test_a_backup_that_does_not_claim_success_has_none(
    store: memory_store.MemoryStore, success: object
):
    leave(store)
    overwrite(store, maas_backup.METADATA, json.dumps(METADATA | {'success': success}).encode())
    with pytest.raises(errors.StepError, match='says that the backup did not succeed'):
        maas_backup.read(store, OLD)


@pytest.mark.parametrize('content', [b'garbage', b'[]', b'{}', b'null', b'\xff\xfe'])
def test_metadata_that_cannot_be_read_is_named(store: memory_store.MemoryStore, content: bytes):
    leave(store)
    overwrite(store, maas_backup.METADATA, content)
    with pytest.raises(errors.StepError, match=r'backup_metadata\.json cannot be read'):
        maas_backup.read(store, OLD)


def test_metadata_of_an_older_revision_may_lack_the_version(store: memory_store.MemoryStore):
    leave(store)
    overwrite(store, maas_backup.METADATA, b'{"success": true}')
    assert maas_backup.read(store, OLD).maas_version == ''


def test_other_objects_in_the_folder_are_not_counted(store: memory_store.MemoryStore):
    leave(store)
    overwrite(store, 'notes.txt', b'do not delete')
    assert len(maas_backup.read(store, OLD).objects) == 4


def test_a_backup_that_is_not_there_is_not_finished(store: memory_store.MemoryStore):
    with pytest.raises(errors.StepError, match='is missing'):
        maas_backup.read(store, NEW)


def test_s3_that_is_away_is_no_unfinished_backup(store: memory_store.MemoryStore):
    leave(store)
    store.bucket.unavailable = 1
    with pytest.raises(errors.StoreUnavailable):
        maas_backup.read(store, OLD)


def test_ids_are_the_names_of_the_folders(store: memory_store.MemoryStore):
    leave(store)
    overwrite(store, 'deeper/object', b'x')
    store.put(f'backup/{NEW}/{maas_backup.METADATA}', b'half')
    assert maas_backup.ids(store) == [OLD, NEW]


def asked(store: memory_store.MemoryStore, time: str = OLD, model: str = 'maas') -> None:
    store.put(
        maas_backup.LATEST,
        f'Date Backup Requested: {time}\nModel Name: {model}\nApplication Name: maas-region\n'
        'Unit Name: maas-region/0\nJuju Version: 3.6.1\n'.encode(),
    )


def test_who_began_the_last_backup_is_told_by_what_the_charm_writes_first(
    store: memory_store.MemoryStore,
):
    assert maas_backup.last_request(store) is None
    asked(store)
    found = maas_backup.last_request(store)
    assert found is not None
    assert (found.time, found.model, found.application) == (OLD, 'maas', 'maas-region')
    assert (found.unit, found.stored) == ('maas-region/0', store.head(maas_backup.LATEST))
    store.put(maas_backup.LATEST, b'nobody')
    assert maas_backup.last_request(store) is None


@pytest.mark.parametrize(
    ('backup_id', 'may'),
    [
        ('2026-08-22T10:20:00Z', True),
        ('2026-08-22T10:21:30Z', True),
        ('2026-08-22T10:19:59Z', False),
        ('2026-08-22T10:22:01Z', False),
        ('2026-13-22T10:20:00Z', False),
        ('latest', False),
    ],
)
def test_a_backup_begins_right_after_its_request(
    store: memory_store.MemoryStore, backup_id: str, may: bool
):
    asked(store, '2026-08-22T10:20:00Z')
    found = maas_backup.last_request(store)
    assert found is not None
    assert found.may_have_made(backup_id) is may


def test_what_was_stored_since_is_told_by_the_clock_of_s3_and_not_by_the_ids(
    store: memory_store.MemoryStore, time: clock.VirtualClock
):
    assert maas_backup.latest_change(store) == ''
    leave(store, NEW)
    mark = maas_backup.latest_change(store)
    assert maas_backup.changed_since(store, mark) == set()
    time.advance(60)
    asked(store)
    assert maas_backup.latest_change(store) == mark
    store.put(f'backup/{OLD}/controllers.txt', b'half')
    assert maas_backup.changed_since(store, mark) == {OLD}
