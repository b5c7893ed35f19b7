"""Buckets with versions and object locks, as an S3 server has them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import boto3
import moto
import pytest

from coordinator import errors, s3
from tests import stores

YEAR = 365


@pytest.fixture
def client() -> Iterator[Any]:
    """Return a client of an S3 with a bucket whose objects are locked for a year."""
    with moto.mock_aws():
        found: Any = boto3.client(
            's3', 'us-east-1', aws_access_key_id='AKIA0123', aws_secret_access_key='s3cret'
        )
        found.create_bucket(Bucket='backups', ObjectLockEnabledForBucket=True)
        retention = {'Mode': 'COMPLIANCE', 'Days': YEAR}
        found.put_object_lock_configuration(
            Bucket='backups',
            ObjectLockConfiguration={
                'ObjectLockEnabled': 'Enabled',
                'Rule': {'DefaultRetention': retention},
            },
        )
        yield found


@pytest.fixture
def store(client: Any) -> Iterator[s3.S3Store]:
    with stores.opened({}) as opened:
        yield opened


def test_an_object_says_until_when_it_is_locked(store: s3.S3Store):
    stored = store.put('key', b'content')
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=YEAR)
    assert stored.versioned
    assert stored.lock.startswith(f'until {until:%Y-%m-%d}T')


def test_a_legal_hold_has_no_end(store: s3.S3Store, client: Any):
    store.put('key', b'content')
    hold = {'Status': 'ON'}
    client.put_object_legal_hold(Bucket='backups', Key='key', LegalHold=hold)
    assert store.head('key').lock == 'until its legal hold is lifted'


def test_a_lock_forbids_no_delete_marker_and_the_version_stays(store: s3.S3Store, client: Any):
    store.put('key', b'content')
    store.delete('key')
    with pytest.raises(errors.NotFound):
        store.head('key')
    assert list(store.list('')) == []
    versions = client.list_object_versions(Bucket='backups')
    assert [version['Key'] for version in versions['Versions']] == ['key']
    assert [marker['Key'] for marker in versions['DeleteMarkers']] == ['key']


def test_an_object_without_versions_is_not_locked(store: s3.S3Store, client: Any):
    client.create_bucket(Bucket='plain')
    with stores.opened({'bucket': 'plain'}) as plain:
        stored = plain.put('key', b'content')
    assert (stored.versioned, stored.lock) == (False, '')
