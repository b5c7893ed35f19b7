"""One of several addresses, of which most are dead."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from coordinator import reaching
from tests import dead_addresses

LONG = 30.0


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield server


def names(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """Let every name have these addresses, in this order."""
    lookup = socket.getaddrinfo

    def found(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        return [entry for each in addresses for entry in lookup(each, port, *args, **options)]

    monkeypatch.setattr(socket, 'getaddrinfo', found)


def hosts(addresses: list[str]) -> list[str]:
    return [address.partition(':')[0] for address in addresses]


def test_the_address_that_answers_is_found_behind_those_that_drop_everything(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    port = listening.getsockname()[1]
    with dead_addresses.dead(9, port=port) as dead:
        names(monkeypatch, [*hosts(dead), '127.0.0.1'])
        started = time.monotonic()
        with reaching.connect('a.name', port, LONG) as connected:
            assert connected.getpeername() == ('127.0.0.1', port)
    assert time.monotonic() - started < 5


def test_addresses_that_refuse_cost_no_time(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    names(monkeypatch, [*(f'127.0.0.{2 + number}' for number in range(20)), '127.0.0.1'])
    started = time.monotonic()
    reaching.connect('a.name', listening.getsockname()[1], LONG).close()
    assert time.monotonic() - started < reaching.STAGGER * 10


def test_where_all_refuse_the_first_one_s_reason_is_told(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as deaf:
        deaf.bind(('127.0.0.1', 0))
        names(monkeypatch, ['127.0.0.1', '127.0.0.2'])
        with pytest.raises(ConnectionRefusedError):
            reaching.connect('a.name', deaf.getsockname()[1], LONG)


@pytest.mark.parametrize('count', [1, 3])
def test_where_nobody_answers_the_time_is_kept(count: int, monkeypatch: pytest.MonkeyPatch):
    with dead_addresses.dead(count) as dead:
        names(monkeypatch, hosts(dead))
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            reaching.connect('a.name', int(dead[0].partition(':')[2]), 0.6)
    assert time.monotonic() - started < 2


def test_an_attempt_that_fails_lets_the_next_one_begin_at_once():
    race = reaching.Race([refusing, lambda: 'good'], str.strip)
    started = time.monotonic()
    found = list(race.outcomes(time.monotonic() + LONG))
    assert time.monotonic() - started < reaching.STAGGER
    assert [(number, result) for number, result, _ in found] == [(0, None), (1, 'good')]
    assert isinstance(found[0][2], ConnectionRefusedError)


def test_a_success_that_comes_too_late_is_discarded():
    late, discarded = threading.Event(), threading.Event()

    def slow() -> str:
        late.wait(LONG)
        return 'slow'

    race = reaching.Race([slow, lambda: 'quick'], lambda result: discarded.set())
    number, result, _ = next(race.outcomes(time.monotonic() + LONG))
    assert (number, result, race.outstanding) == (1, 'quick', 1)
    race.close()
    late.set()
    assert discarded.wait(LONG)


def test_a_success_that_nobody_has_taken_is_discarded_at_the_end():
    thrown: list[str] = []
    race = reaching.Race([lambda: 'first', lambda: 'second'], thrown.append)
    next(race.outcomes(time.monotonic() + LONG))
    race._attempt(1)
    race.close()
    assert thrown == ['second']


def refusing() -> str:
    raise ConnectionRefusedError('refused')
