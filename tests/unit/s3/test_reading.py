"""An object is read whole, however often the connection breaks off."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from coordinator import errors
from coordinator.s3 import object_store, reading
from rehearsal import s3_server
from tests import stores

BUCKET = 'backups'
CONTENT = random.Random(1).randbytes(9_000_001)


@pytest.fixture(scope='module')
def running() -> Iterator[s3_server.S3Server]:
    with s3_server.S3Server() as server:
        server.create_bucket(BUCKET)
        yield server


@pytest.fixture
def server(running: s3_server.S3Server) -> Iterator[s3_server.S3Server]:
    yield running
    running.clear_faults()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.repeat_at_once(monkeypatch)


@pytest.fixture
def store(server: s3_server.S3Server) -> Iterator[object_store.S3Store]:
    with stores.opened(server.connection(BUCKET)) as opened:
        opened.put('key', CONTENT)
        yield opened


def read(store: object_store.S3Store, key: str = 'key') -> bytes:
    with store.open(key) as chunks:
        return b''.join(chunks)


def test_an_object_is_read_whole(store: object_store.S3Store):
    assert read(store) == CONTENT


def test_chunks_are_small(store: object_store.S3Store):
    with store.open('key') as chunks:
        sizes = list(map(len, chunks))
    assert set(sizes[:-1]) == {reading.CHUNK}
    assert 0 < sizes[-1] <= reading.CHUNK


@pytest.mark.parametrize('size', [0, 1, reading.CHUNK])
def test_an_object_of_any_size_is_read_whole(store: object_store.S3Store, size: int):
    store.put('other', bytes(size))
    assert read(store, 'other') == bytes(size)


def test_an_object_that_is_not_there_is_named(store: object_store.S3Store):
    with pytest.raises(errors.NotFound, match='absent is not in bucket backups'):
        read(store, 'absent')


def test_an_answer_that_breaks_off_is_taken_up_where_it_was(
    server: s3_server.S3Server, store: object_store.S3Store
):
    before = server.requests['GET']
    server.fault('truncate', count=3, method='GET', prefix=f'/{BUCKET}/key')
    assert read(store) == CONTENT
    # Each gave half of what was left: the next one began there, and not anew.
    assert [rule.count for rule in server.rules] == [0]
    assert server.requests['GET'] - before == 4


def test_a_server_that_is_away_for_a_moment_is_asked_again(
    server: s3_server.S3Server, store: object_store.S3Store
):
    with store.open('key') as chunks:
        first = next(chunks)
        server.fault('truncate', count=1, method='GET')
        server.fault('503', count=4, method='GET')
        assert first + b''.join(chunks) == CONTENT


def test_a_connection_that_breaks_again_and_again_is_given_up(
    server: s3_server.S3Server, store: object_store.S3Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, '_LONGEST_WAIT', 0.0)
    store.put('other', bytes(1000))
    server.fault('truncate', count=1000, method='GET', prefix=f'/{BUCKET}/other')
    with pytest.raises(errors.StoreUnavailable):
        read(store, 'other')
    [rule] = server.rules
    assert 1000 - rule.count == reading._ATTEMPTS


@pytest.mark.parametrize(
    'other', [CONTENT[::-1], b'short'], ids=['of-the-same-size', 'of-another-size']
)
def test_an_object_that_is_replaced_meanwhile_is_named(
    server: s3_server.S3Server, store: object_store.S3Store, other: bytes
):
    server.fault('truncate', count=1, method='GET', prefix=f'/{BUCKET}/key')
    with store.open('key') as chunks:
        next(chunks)
        store.put('key', other)
        with pytest.raises(errors.UnexpectedAnswer, match='key was replaced while it was read'):
            list(chunks)


def test_an_object_that_was_read_leaves_its_connection_to_the_next(store: object_store.S3Store):
    pools = store._client._endpoint.http_session._inner._manager.pools
    for _ in range(5):
        assert read(store) == CONTENT
    [pool] = [pools[key] for key in pools.keys()]  # noqa: SIM118  (it is no dict)
    assert pool.num_connections == 1
