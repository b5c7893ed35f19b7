"""The S3 server's gate knows who may come in, and breaks what it is told to."""

from __future__ import annotations

import datetime
import pathlib
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from coordinator.s3 import object_store
from rehearsal import s3_gate, s3_server

BUCKET = 'backups'


@pytest.fixture(scope='module')
def running() -> Iterator[s3_server.S3Server]:
    with s3_server.S3Server() as server:
        server.create_bucket(BUCKET)
        assert ask(server, 'PUT', 'greeting', b'hello world!') == (200, b'')
        yield server


@pytest.fixture
def server(running: s3_server.S3Server) -> Iterator[s3_server.S3Server]:
    yield running
    running.clear_faults()


def ask(
    server: s3_server.S3Server,
    method: str,
    key: str,
    body: bytes | None = None,
    access_key: str = s3_gate.WRITER[0],
    date: str = '',
) -> tuple[int, bytes]:
    credential = f'Credential={access_key}/20260101/r/s3/aws4_request'
    request = urllib.request.Request(
        f'{server.endpoint}/{BUCKET}/{key}',
        data=body,
        method=method,
        headers={
            'Authorization': f'AWS4-HMAC-SHA256 {credential}',
            'Content-Type': 'application/octet-stream',
        }
        | ({'X-Amz-Date': date} if date else {}),
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_objects_are_kept(server: s3_server.S3Server):
    assert ask(server, 'GET', 'greeting') == (200, b'hello world!')


def test_an_unknown_key_is_refused(server: s3_server.S3Server):
    status, body = ask(server, 'GET', 'greeting', access_key='nobody')

    assert status == 403
    assert b'InvalidAccessKeyId' in body


def test_the_reader_reads_and_writes_nothing(server: s3_server.S3Server):
    reader = s3_gate.READER[0]

    assert ask(server, 'GET', 'greeting', access_key=reader)[0] == 200
    for method, body in (('PUT', b'mine'), ('DELETE', None)):
        status, answer = ask(server, method, 'greeting', body, access_key=reader)
        assert (status, b'AccessDenied' in answer) == (403, True), method
    assert ask(server, 'GET', 'greeting') == (200, b'hello world!')


@pytest.mark.parametrize(
    ('kind', 'status', 'code'),
    [
        ('500', 500, b'InternalError'),
        ('503', 503, b'ServiceUnavailable'),
        ('slow-down', 503, b'SlowDown'),
        ('access-denied', 403, b'AccessDenied'),
        ('full', 507, b'XMinioStorageFull'),
        ('quota', 403, b'QuotaExceeded'),
    ],
)
def test_a_fault_strikes_as_often_as_it_should(
    server: s3_server.S3Server, kind: str, status: int, code: bytes
):
    server.fault(kind, count=2, method='GET', prefix=f'/{BUCKET}/greet')

    answers = [ask(server, 'GET', 'greeting') for _ in range(3)]

    assert [answer[0] for answer in answers] == [status, status, 200]
    assert code in answers[0][1]


def test_a_fault_strikes_only_what_it_names(server: s3_server.S3Server):
    server.fault('500', method='PUT', prefix=f'/{BUCKET}/other')

    assert ask(server, 'GET', 'greeting')[0] == 200
    assert ask(server, 'PUT', 'third', b'x')[0] == 200
    assert ask(server, 'PUT', 'other', b'x')[0] == 500


def test_a_connection_is_cut(server: s3_server.S3Server):
    server.fault('cut')

    with pytest.raises(ConnectionError):
        ask(server, 'GET', 'greeting')


def test_an_answer_is_truncated(server: s3_server.S3Server):
    server.fault('truncate', method='GET')
    host, port = server.endpoint.removeprefix('http://').split(':')
    lines = [
        f'GET /{BUCKET}/greeting HTTP/1.1',
        f'Host: {host}',
        f'Authorization: Credential={s3_gate.WRITER[0]}/',
    ]

    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall('\r\n'.join([*lines, '', '']).encode())
        with connection.makefile('rb') as answer:
            head, _, body = answer.read().partition(b'\r\n\r\n')

    assert b'Content-Length: 12' in head
    assert body == b'hello '


def test_a_fault_that_is_not_there_is_refused(server: s3_server.S3Server):
    with pytest.raises(ValueError, match="no fault 'rain'"):
        server.fault('rain')


def test_requests_are_counted(server: s3_server.S3Server):
    before = server.requests['GET']

    ask(server, 'GET', 'greeting')

    assert server.requests['GET'] == before + 1


@pytest.mark.parametrize(('minutes', 'status'), [(-60, 403), (-10, 200), (10, 200), (60, 403)])
def test_a_clock_that_is_wrong_by_more_than_a_quarter_of_an_hour_is_refused(
    server: s3_server.S3Server, minutes: int, status: int
):
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)

    answer = ask(server, 'GET', 'greeting', date=f'{at:%Y%m%dT%H%M%SZ}')

    assert answer[0] == status
    assert (b'RequestTimeTooSkewed' in answer[1]) == (status == 403)


def test_a_journal_keeps_what_was_acknowledged_with_its_time(tmp_path: pathlib.Path):
    with s3_server.S3Server(tmp_path / 'journal') as server:
        server.create_bucket(BUCKET)
        store = object_store.S3Store(
            object_store.Connection.from_relation('test', server.connection(BUCKET))
        )
        for key in ('kept', 'replaced', 'deleted', 'ünïcode name'):
            store.put(key, key.encode())
        replaced = store.put('replaced', b'anew')
        store.delete('deleted')
        before = list(store.list(''))

        # Without a second between them, times without fractions could be equal by accident.
        journal = (tmp_path / 'journal').read_text()
        (tmp_path / 'journal').write_text(journal.replace('"at": "2', '"at": "1') + '{"cut off')
        server.restart()

        after = list(store.list(''))
        assert [(o.key, o.etag) for o in after] == [(o.key, o.etag) for o in before]
        assert [o.modified.year - 1000 for o in before] == [o.modified.year for o in after]
        assert (store.get('replaced'), store.head('replaced').etag) == (b'anew', replaced.etag)
        assert store.get('kept') == b'kept'
        store.close()


def test_a_restarted_server_has_its_port_and_nothing_else():
    with s3_server.S3Server() as server:
        server.create_bucket(BUCKET)
        endpoint = server.endpoint

        server.restart()

        assert server.endpoint == endpoint
        assert ask(server, 'GET', 'greeting')[0] == 404
