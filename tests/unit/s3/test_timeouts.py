"""S3 servers that say nothing keep a dispatch for half a minute at most, whatever it asks."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import botocore.exceptions
import pytest

from coordinator import errors
from coordinator.s3 import object_store, timeouts
from tests import stores


class MuteServer:
    """Takes connections, as the kernel does for it, and never reads from one."""

    def __init__(self) -> None:
        self._socket = socket.create_server(('127.0.0.1', 0), backlog=100)
        self._socket.setblocking(False)
        self.endpoint = f'http://127.0.0.1:{self._socket.getsockname()[1]}'

    def connections(self) -> int:
        """Return how many there were since this was asked last."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.repeat_at_once(monkeypatch)


@pytest.fixture
def server() -> Iterator[MuteServer]:
    mute = MuteServer()
    yield mute
    mute.close()


def opened(endpoint: str, patience: timeouts.Patience) -> object_store.S3Store:
    info = {'bucket': 'backups', 'endpoint': endpoint, **stores.KEYS}
    connection = object_store.Connection.from_relation('integrator', info)
    return object_store.S3Store(connection, patience=patience)


def ask(store: object_store.S3Store) -> None:
    with pytest.raises(errors.StoreUnavailable, match=r'S3 at http://127.* does not answer'):
        store.get('key')


def test_while_patience_lasts_each_request_is_tried_several_times(server: MuteServer):
    store = opened(server.endpoint, timeouts.Patience(read=0.05, enough=60))
    ask(store)
    assert server.connections() == 6
    ask(store)
    assert server.connections() == 6
    store.close()


def test_when_patience_is_over_nothing_is_tried(server: MuteServer):
    patience = timeouts.Patience(read=0.1, enough=0.15)
    store = opened(server.endpoint, patience)
    ask(store)
    assert server.connections() == 2
    ask(store)
    # Another bucket of the same server shares it.
    another = opened(server.endpoint, patience)
    ask(another)
    assert server.connections() == 0
    store.close()
    another.close()


def test_a_change_that_was_sent_before_patience_was_over_may_take_effect(server: MuteServer):
    store = opened(server.endpoint, timeouts.Patience(read=0.1, enough=0.05))
    with pytest.raises(errors.StoreAnswerLost):
        store.put('key', b'content')
    assert server.connections() == 1
    store.close()


class Server:
    """A server by a clock of its own."""

    def __init__(self) -> None:
        self.time = 0.0
        self.patience = timeouts.Patience(enough=15, clock=lambda: self.time)

    def answer(self) -> None:
        with self.patience.waiting():
            self.time += 60

    def fall_silent(self, seconds: float) -> None:
        try:
            with self.patience.waiting():
                self.time += seconds
                raise botocore.exceptions.ReadTimeoutError(endpoint_url='S3')
        except botocore.exceptions.ReadTimeoutError:
            pass


def test_an_answer_renews_patience_however_long_it_took():
    server = Server()
    for _ in range(3):
        server.fall_silent(10)
        server.answer()
    server.fall_silent(10)
    server.fall_silent(5)
    with pytest.raises(timeouts.Silent):
        server.answer()


def test_by_default_half_a_minute_is_the_most():
    patience = timeouts.Patience()
    # The last attempt begins just before enough is enough.
    assert patience.connect < 15
    assert patience.read + patience.connect <= 30
