"""The object store in memory is strict, and goes wrong when it is told to."""

from __future__ import annotations

import pytest

from coordinator import errors
from rehearsal import memory_store


@pytest.fixture
def bucket() -> memory_store.MemoryBucket:
    return memory_store.MemoryBucket()


@pytest.fixture
def store(bucket: memory_store.MemoryBucket) -> memory_store.MemoryStore:
    return memory_store.MemoryStore(bucket, '/some/path/')


def test_a_store_sees_only_its_own_path(
    bucket: memory_store.MemoryBucket, store: memory_store.MemoryStore
):
    memory_store.MemoryStore(bucket, 'some/pathless').put('other', b'')
    stored = store.put('a/b', b'hello')

    assert list(bucket.objects) == ['some/pathless/other', 'some/path/a/b']
    assert list(store.list('')) == [stored]
    assert store.folders('') == ['a']
    assert store.place['path'] == 'some/path'


def test_keys_that_s3_would_not_keep_apart_are_refused(store: memory_store.MemoryStore):
    for key in ('', '/a', 'a' * 1024):
        with pytest.raises(ValueError, match='no key'):
            store.put(key, b'')


def test_an_object_is_lent_in_chunks(store: memory_store.MemoryStore):
    store.put('a', bytes(600_000))
    with store.open('a') as chunks:
        assert list(map(len, chunks)) == [256 << 10, 256 << 10, 75_712]
    with pytest.raises(errors.NotFound), store.open('b'):
        pass


def test_nothing_is_read_beyond_its_limit(store: memory_store.MemoryStore):
    store.put('a', b'12345')

    assert store.get('a', limit=5) == b'12345'
    with pytest.raises(errors.UnexpectedAnswer):
        store.get('a', limit=4)


def test_the_server_comes_back_after_as_many_requests_as_were_said(
    bucket: memory_store.MemoryBucket, store: memory_store.MemoryStore
):
    bucket.unavailable = 2

    for _ in range(2):
        with pytest.raises(errors.StoreUnavailable):
            store.put('a', b'')
    assert store.put('a', b'').size == 0


@pytest.mark.parametrize('fault', ['refuses_keys', 'refuses_writes'])
def test_a_refusal_changes_nothing(
    bucket: memory_store.MemoryBucket, store: memory_store.MemoryStore, fault: str
):
    store.put('a', b'before')
    setattr(bucket, fault, True)

    with pytest.raises(errors.StoreRefused):
        store.put('a', b'after')
    with pytest.raises(errors.StoreRefused):
        store.delete('a')
    setattr(bucket, fault, False)
    assert store.get('a') == b'before'


def test_without_its_bucket_everything_is_refused(
    bucket: memory_store.MemoryBucket, store: memory_store.MemoryStore
):
    bucket.exists = False

    with pytest.raises(errors.StoreRefused, match='NoSuchBucket'):
        store.list('')


def test_an_s3_relation_leads_to_its_bucket_and_path():
    server = memory_store.MemoryS3()
    fields = {'bucket': 'one', 'path': '/p', 'endpoint': 'http://s3.invalid', 'region': 'r'}

    server.store_for(fields).put('a', b'')

    assert list(server.bucket('one').objects) == ['p/a']
    assert not server.bucket('two').objects
