"""Objects in archives of S3: seen everywhere, and read only when they were thawed."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from coordinator import archives, errors
from tests import stores

KEY = 'some/path/key'


class Site(Protocol):
    """An S3 server."""

    @property
    def name(self) -> str: ...

    @property
    def client(self) -> Any: ...

    def fields(self, bucket: str) -> dict[str, str]: ...

    def new_bucket(self, **options: Any) -> str: ...


@pytest.fixture
def bucket(s3_site: Site) -> str:
    if s3_site.name != 'rehearsal':
        pytest.skip('this server has no archives')
    return s3_site.new_bucket()


@pytest.mark.parametrize('archive', sorted(archives.CLASSES))
def test_an_archived_object_is_told_from_one_that_can_be_read(
    s3_site: Site, bucket: str, archive: str
):
    s3_site.client.put_object(Bucket=bucket, Key=KEY, Body=b'content', StorageClass=archive)
    with stores.opened({**s3_site.fields(bucket), 'path': 'some/path'}) as store:
        store.put('other', b'content')
        assert [(item.key, item.storage_class) for item in store.list('')] == [
            ('key', archive),
            ('other', ''),
        ]
        assert (store.head('key').archive, store.head('other').archive) == (archive, '')
        assert [item.key for item in archives.found(store, store.list(''))] == ['key']
        with pytest.raises(errors.ObjectArchived, match=f'--bucket {bucket} --key {KEY}'):
            store.get('key')
        with pytest.raises(errors.ObjectArchived, match=archive), store.open('key') as chunks:
            list(chunks)


def test_a_thawed_object_can_be_read(s3_site: Site, bucket: str):
    s3_site.client.put_object(Bucket=bucket, Key=KEY, Body=b'content', StorageClass='GLACIER')
    s3_site.client.restore_object(Bucket=bucket, Key=KEY, RestoreRequest={'Days': 14})
    with stores.opened({**s3_site.fields(bucket), 'path': 'some/path'}) as store:
        if store.head('key').archive:
            # It takes the server a moment, as AWS hours.
            store.head('key')
        assert store.head('key').archive == ''
        assert store.get('key') == b'content'


@pytest.mark.parametrize('named', ['STANDARD_IA', 'GLACIER_IR', 'INTELLIGENT_TIERING'])
def test_an_object_of_another_class_can_be_read(s3_site: Site, bucket: str, named: str):
    s3_site.client.put_object(Bucket=bucket, Key=KEY, Body=b'content', StorageClass=named)
    with stores.opened({**s3_site.fields(bucket), 'path': 'some/path'}) as store:
        assert (store.head('key').storage_class, store.head('key').archive) == (named, '')
        assert archives.found(store, store.list('')) == []
        assert store.get('key') == b'content'
