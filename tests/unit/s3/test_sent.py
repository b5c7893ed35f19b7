"""What is counted of the requests to S3: their operation, how they were answered, their bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from coordinator import errors, ports
from coordinator.s3 import object_store, sent
from rehearsal import s3_server
from tests import stores


@pytest.fixture(scope='module')
def server() -> Iterator[s3_server.S3Server]:
    with s3_server.S3Server() as running:
        yield running


@pytest.fixture
def store(server: s3_server.S3Server) -> Iterator[object_store.S3Store]:
    server.create_bucket('counted')
    connection = server.connection('counted')
    with stores.opened(connection) as opened:
        sent.counted.clear()
        yield opened
        sent.counted.clear()


def test_requests_are_counted_by_operation_and_by_how_they_were_answered(
    store: object_store.S3Store,
):
    store.put('key', b'content')
    assert store.get('key') == b'content'
    with pytest.raises(errors.NotFound):
        store.head('absent')
    list(store.list(''))
    list(store.uploads(''))
    with contextlib.suppress(errors.CoordinatorError):
        list(store.parts(ports.Upload('key', 'none')))
    store.delete('key')
    counted = dict(sent.counted)
    received = counted.pop('bytes_received')
    assert counted == {
        'requests': 8,
        'PutObject.2xx': 1,
        'HeadObject.2xx': 1,
        'GetObject.2xx': 1,
        'HeadObject.4xx': 1,
        'ListObjectsV2.2xx': 1,
        'ListMultipartUploads.2xx': 1,
        'ListParts.4xx': 1,
        'DeleteObject.2xx': 1,
        'bytes_sent': len(b'content'),
    }
    assert received > len(b'content')


def test_a_request_that_is_repeated_counts_again(
    store: object_store.S3Store, server: s3_server.S3Server, monkeypatch: pytest.MonkeyPatch
):
    stores.repeat_at_once(monkeypatch)
    server.fault('503', 1)
    list(store.list(''))
    assert sent.counted['ListObjectsV2.5xx'] == 1
    assert sent.counted['ListObjectsV2.2xx'] == 1


def test_a_server_that_is_away_has_answered_nothing(monkeypatch: pytest.MonkeyPatch):
    stores.repeat_at_once(monkeypatch)
    sent.counted.clear()
    away = {'bucket': 'counted', 'endpoint': 'http://127.0.0.1:9', **stores.KEYS}
    with stores.opened(away) as store, pytest.raises(errors.StoreUnavailable):
        store.get('key')
    assert set(sent.counted) == {'requests', 'GetObject.unanswered', 'bytes_sent'}


def test_no_key_and_no_bucket_is_in_a_name(store: object_store.S3Store):
    store.put('hunter2/uploads', b'')
    list(store.list('hunter2'))
    assert not [name for name in sent.counted if 'hunter2' in name or 'counted' in name]
