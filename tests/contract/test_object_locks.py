"""Buckets with versions and object locks, as each S3 server has them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from coordinator import errors
from coordinator.s3 import object_store
from coordinator.sets import catalogue, deletion
from tests import stores, worlds

YEAR = 365
BACKUP_ID = '2026-08-22T10:15:00Z'
SILENT = ('versitygw',)
"""Servers that keep to the lock of a bucket without telling it of each object."""


class Site(Protocol):
    """An S3 server."""

    @property
    def name(self) -> str: ...

    @property
    def client(self) -> Any: ...

    def fields(self, bucket: str) -> dict[str, str]: ...

    def new_bucket(self, **options: Any) -> str: ...


@pytest.fixture
def locked(s3_site: Site) -> str:
    """Return the name of a bucket whose objects are locked for a year."""
    bucket = s3_site.new_bucket(ObjectLockEnabledForBucket=True)
    retention = {'Mode': 'COMPLIANCE', 'Days': YEAR}
    s3_site.client.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            'ObjectLockEnabled': 'Enabled',
            'Rule': {'DefaultRetention': retention},
        },
    )
    return bucket


def in_a_year() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=YEAR)


@pytest.fixture
def store(s3_site: Site, locked: str) -> Iterator[object_store.S3Store]:
    with stores.opened(s3_site.fields(locked)) as opened:
        yield opened


def test_an_object_says_until_when_its_bucket_locks_it(store: object_store.S3Store, s3_site: Site):
    stored = store.put('key', b'content')
    assert stored.versioned
    if s3_site.name in SILENT:
        pytest.skip(f'{s3_site.name} tells only the lock of an object by itself')
    assert stored.lock.startswith(f'until {in_a_year():%Y-%m-%d}T')


def test_an_object_says_until_when_it_is_locked_by_itself(
    store: object_store.S3Store, s3_site: Site, locked: str
):
    store.put('key', b'content')
    until = in_a_year() + datetime.timedelta(days=YEAR)
    s3_site.client.put_object_retention(
        Bucket=locked, Key='key', Retention={'Mode': 'COMPLIANCE', 'RetainUntilDate': until}
    )
    assert store.head('key').lock == f'until {until:%Y-%m-%dT%H:%M:%SZ}'


def test_a_legal_hold_has_no_end(store: object_store.S3Store, s3_site: Site, locked: str):
    store.put('key', b'content')
    for status in ('ON', 'OFF'):
        hold = {'Status': status}
        s3_site.client.put_object_legal_hold(Bucket=locked, Key='key', LegalHold=hold)
        held = store.head('key').lock == 'until its legal hold is lifted'
        assert held == (status == 'ON')


def test_a_lock_forbids_no_delete_marker_and_the_version_stays(
    store: object_store.S3Store, s3_site: Site, locked: str
):
    store.put('key', b'content')
    store.delete('key')
    with pytest.raises(errors.NotFound):
        store.head('key')
    assert list(store.list('')) == []
    versions = s3_site.client.list_object_versions(Bucket=locked)
    assert [version['Key'] for version in versions['Versions']] == ['key']
    assert [marker['Key'] for marker in versions['DeleteMarkers']] == ['key']


def test_a_set_in_a_bucket_with_locks_is_deleted_out_of_sight(store: object_store.S3Store):
    store.put(catalogue.manifest_key(BACKUP_ID), b'manifest')
    store.put(catalogue.sealed_key(BACKUP_ID), b'sealed')
    deletion.delete(store, deletion.Target(BACKUP_ID), [], worlds.START)
    assert catalogue.with_failed(store) == []


def test_an_object_without_versions_is_not_locked(s3_site: Site):
    with stores.opened(s3_site.fields(s3_site.new_bucket())) as plain:
        stored = plain.put('key', b'content')
    assert (stored.versioned, stored.lock) == (False, '')


@pytest.mark.parametrize('status', ['Enabled', 'Suspended'])
def test_with_versions_only_the_newest_is_seen(s3_site: Site, status: str):
    bucket = s3_site.new_bucket()
    for state in dict.fromkeys(('Enabled', status)):
        s3_site.client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={'Status': state}
        )
    with stores.opened(s3_site.fields(bucket)) as store:
        store.put('key', b'before')
        store.put('key', b'after')
        assert store.get('key') == b'after'
        assert [item.size for item in store.list('')] == [5]
        store.delete('key')
        assert list(store.list('')) == []
        store.put('key', b'again')
        assert [item.size for item in store.list('')] == [5]
