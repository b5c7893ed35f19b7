"""Connects to the first of several addresses that answers, however many of them are dead.

Each attempt starts a moment after the previous one, or at once when that has failed. The first
success wins ("happy eyeballs", RFC 8305). So an address that drops packets costs a moment instead
of a whole timeout.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

STAGGER = 0.25
"""Seconds between the beginnings of two attempts, as RFC 8305 recommends."""

_T = TypeVar('_T')


class Race(Generic[_T]):
    """Runs attempts in parallel threads, because a name lookup has no timeout."""

    def __init__(self, attempts: Sequence[Callable[[], _T]], discard: Callable[[_T], object]):
        """Prepare a race.

        Args:
            attempts: each has its own timeout; earlier ones start first.
            discard: disposes of a success that comes too late.
        """
        self._attempts = attempts
        self._discard = discard
        self._begun = 0
        self._seen = 0
        self._outcomes: queue.SimpleQueue[tuple[int, _T | None, Exception | None]] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._over = False

    @property
    def outstanding(self) -> int:
        """How many attempts have had no outcome yet."""
        return len(self._attempts) - self._seen

    def outcomes(self, end: float) -> Iterator[tuple[int, _T | None, Exception | None]]:
        """Yield the outcome of each attempt as it comes: its number, and its result or its error.

        Args:
            end: when to stop waiting, in seconds of `time.monotonic`.
        """
        due = time.monotonic()
        while self.outstanding and time.monotonic() < end:
            if self._begun < len(self._attempts) and time.monotonic() >= due:
                self._begin()
                due = time.monotonic() + STAGGER
            until = min(due, end) if self._begun < len(self._attempts) else end
            with contextlib.suppress(queue.Empty):
                outcome = self._outcomes.get(timeout=max(until - time.monotonic(), 0))
                self._seen += 1
                yield outcome
                due = time.monotonic()

    def close(self) -> None:
        """End the race; what succeeds from now on is discarded."""
        with self._lock:
            self._over = True
        with contextlib.suppress(queue.Empty):
            while True:
                _, result, error = self._outcomes.get_nowait()
                self._forget(result, error)

    def _begin(self) -> None:
        # Nothing waits for late attempts, not even the end of the process.
        threading.Thread(target=self._attempt, args=[self._begun], daemon=True).start()
        self._begun += 1

    def _attempt(self, number: int) -> None:
        result, error = None, None
        try:
            result = self._attempts[number]()
        except Exception as failure:
            error = failure
        with self._lock:
            if not self._over:
                self._outcomes.put((number, result, error))
                return
        self._forget(result, error)

    def _forget(self, result: _T | None, error: Exception | None) -> None:
        if error is None and result is not None:
            self._discard(result)


def connect(
    host: str, port: int, seconds: float, options: Sequence[tuple[int, int, Any]] = ()
) -> socket.socket:
    """Connect to any of the addresses that a name has.

    Args:
        host: a name or an address, without brackets.
        port: a number.
        seconds: for all addresses together.
        options: of the socket, as `setsockopt` takes them.

    Raises:
        OSError: none can be reached: the first one's error, or TimeoutError.
    """
    end = time.monotonic() + seconds
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    attempts = [functools.partial(_connected, *each, seconds, options) for each in found]
    if len(attempts) == 1:
        return attempts[0]()
    race = Race(attempts, socket.socket.close)
    failures: list[Exception] = []
    try:
        for _, connected, error in race.outcomes(end):
            if connected is not None:
                return connected
            if error is not None:
                failures.append(error)
    finally:
        race.close()
    raise failures[0] if failures and not race.outstanding else TimeoutError('timed out')


def _connected(
    family: int,
    kind: int,
    protocol: int,
    _name: str,
    address: Any,
    seconds: float,
    options: Sequence[tuple[int, int, Any]],
) -> socket.socket:
    connected = socket.socket(family, kind, protocol)
    try:
        for option in options:
            connected.setsockopt(*option)
        connected.settimeout(seconds)
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected
