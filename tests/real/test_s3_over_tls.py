"""The S3 server over TLS: trusted through its own authority, and it says farewell."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib import parse

import pytest

from coordinator import errors
from coordinator.s3 import object_store
from rehearsal import s3_server


@pytest.fixture(scope='module')
def server() -> Iterator[s3_server.S3Server]:
    with s3_server.S3Server(secure=True) as running:
        running.create_bucket('a-bucket')
        yield running


def store(fields: dict[str, str]) -> object_store.S3Store:
    return object_store.S3Store(object_store.Connection.from_relation('s3-integrator', fields))


def test_who_has_the_chain_of_the_relation_reads_and_writes(server: s3_server.S3Server):
    own = store(server.connection('a-bucket'))
    own.put('key', b'content')
    assert own.get('key') == b'content'
    own.close()


def test_who_has_no_chain_is_not_led_astray(server: s3_server.S3Server):
    fields = server.connection('a-bucket')
    del fields['tls-ca-chain']
    own = store(fields)
    with pytest.raises(errors.CoordinatorError, match=r'(?i)certificate'):
        own.get('key')
    own.close()


def test_a_connection_does_not_end_without_a_word(server: s3_server.S3Server):
    fields = server.connection('a-bucket')
    place = parse.urlsplit(fields['endpoint'])
    context = ssl.create_default_context(cadata=fields['tls-ca-chain'])
    request = b'GET /a-bucket HTTP/1.0\r\nHost: localhost\r\n\r\n'
    with (
        socket.create_connection((place.hostname, place.port), timeout=20) as line,
        # A line that is cut off is an error, and not the end of the answer.
        context.wrap_socket(
            line, server_hostname=place.hostname, suppress_ragged_eofs=False
        ) as safe,
    ):
        safe.sendall(request)
        answer = b''
        while chunk := safe.recv(1 << 16):
            answer += chunk
    assert b'InvalidAccessKeyId' in answer


def test_a_connection_that_says_nothing_holds_up_nobody(server: s3_server.S3Server):
    fields = server.connection('a-bucket')
    place = parse.urlsplit(fields['endpoint'])
    with socket.create_connection((place.hostname, place.port), timeout=20):
        own = store(fields)
        own.put('key', b'content')
        own.close()
