"""Receivers of traces that are none: no dispatch fails because of one."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import threading
import time
from collections.abc import Generator

import pytest

from coordinator.engine import operation
from coordinator.observed import trace, tracing
from tests import charm_states, worlds

SOURCE = trace.Source('coordinator', 'coordinator/0', 'maas', worlds.EmptyWorld.model_uuid, '0')


def failed() -> operation.Operation:
    return charm_states.new_operation().ending(operation.FAILED, worlds.START)


@contextlib.contextmanager
def answering(said: bytes) -> Generator[str]:
    """Answer one request with these bytes, as something does that speaks no HTTP."""
    with socket.create_server(('127.0.0.1', 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as client:
                client.recv(1 << 20)
                client.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f'http://127.0.0.1:{listening.getsockname()[1]}'
        thread.join()


def test_a_receiver_that_speaks_no_http_is_no_error(tmp_path: pathlib.Path):
    made = tracing.Tracing(tmp_path / '.tracing')
    # HTTP/2, as a port for gRPC answers.
    with answering(b'\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n') as url:
        made.aim(json.dumps([{'protocol': {'name': 'otlp_http'}, 'url': url}]))
        assert not made.send(failed(), SOURCE)


@contextlib.contextmanager
def dripping() -> Generator[str]:
    """Answer one request a byte at a time, for ever."""
    over = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as client, contextlib.suppress(OSError):
                client.recv(1 << 20)
                while not over.wait(0.02):
                    client.sendall(b'H')

        thread = threading.Thread(target=serve)
        thread.start()
        yield f'http://127.0.0.1:{listening.getsockname()[1]}'
        over.set()
        thread.join()


def test_a_receiver_whose_answer_never_ends_is_left_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tracing, '_LONGEST', 0.5)
    made = tracing.Tracing(tmp_path / '.tracing')
    with dripping() as url:
        made.aim(json.dumps([{'protocol': {'name': 'otlp_http'}, 'url': url}]))
        begun = time.monotonic()
        assert not made.send(failed(), SOURCE)
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize('url', ['http://tempo:port', 'http://a b:4318', 'http://', 'http://[::1'])
def test_a_receiver_whose_address_is_none_is_no_error(tmp_path: pathlib.Path, url: str):
    made = tracing.Tracing(tmp_path / '.tracing')
    made.aim(json.dumps([{'protocol': {'name': 'otlp_http'}, 'url': url}]))
    assert not made.send(failed(), SOURCE)
