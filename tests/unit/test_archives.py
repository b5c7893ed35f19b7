"""Which objects are in an archive, and what is said of them."""

from __future__ import annotations

import datetime

import pytest

from coordinator import archives
from coordinator.s3 import objects
from rehearsal import memory_store

HEADED = {
    'ContentLength': 7,
    'ETag': '"x"',
    'LastModified': datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
}
FROZEN = 'ongoing-request="true"'
THAWED = 'ongoing-request="false", expiry-date="Fri, 21 Dec 2030 00:00:00 GMT"'


@pytest.mark.parametrize(
    ('told', 'archive'),
    [
        ({}, ''),
        ({'StorageClass': 'STANDARD'}, ''),
        ({'StorageClass': 'STANDARD_IA'}, ''),
        ({'StorageClass': 'GLACIER_IR'}, ''),
        ({'StorageClass': 'GLACIER'}, 'GLACIER'),
        ({'StorageClass': 'DEEP_ARCHIVE'}, 'DEEP_ARCHIVE'),
        ({'StorageClass': 'GLACIER', 'Restore': FROZEN}, 'GLACIER'),
        ({'StorageClass': 'GLACIER', 'Restore': THAWED}, ''),
        ({'StorageClass': 'INTELLIGENT_TIERING'}, ''),
        (
            {'StorageClass': 'INTELLIGENT_TIERING', 'ArchiveStatus': 'DEEP_ARCHIVE_ACCESS'},
            'INTELLIGENT_TIERING DEEP_ARCHIVE_ACCESS',
        ),
        (
            {
                'StorageClass': 'INTELLIGENT_TIERING',
                'ArchiveStatus': 'ARCHIVE_ACCESS',
                'Restore': FROZEN,
            },
            'INTELLIGENT_TIERING ARCHIVE_ACCESS',
        ),
        ({'StorageClass': 'GLACIER; rm -rf /'}, ''),
    ],
)
def test_a_head_says_whether_an_object_must_be_thawed(told: dict[str, str], archive: str):
    assert objects.headed('key', {**HEADED, **told}).archive == archive


def test_of_very_many_tiered_objects_a_sample_is_asked_for():
    bucket = memory_store.MemoryBucket()
    store = memory_store.MemoryStore(bucket)
    for number in range(1000):
        store.put(f'{number:04}', b'content')
        bucket.archived[f'{number:04}'] = 'INTELLIGENT_TIERING ARCHIVE_ACCESS'
    bucket.requests = 0
    found = archives.found(store, store.list(''))
    assert archives.MOST_ASKED // 2 < len(found) <= archives.MOST_ASKED + 1
    assert bucket.requests <= archives.MOST_ASKED + 2
    assert found[-1].key == '0999'


def test_the_command_that_thaws_is_safe_to_type():
    said = archives.advice('backups', ["a'b $(reboot)", 'b', 'c', 'd'], 'GLACIER')
    assert """--key 'a'"'"'b $(reboot)' --restore-request""" in said
    assert said.startswith('4 objects in bucket backups cannot be read')
