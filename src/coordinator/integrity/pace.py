"""How far a reading has come, and how fast it goes."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable

_WINDOW = 10.0
"""Seconds that the rate is an average of."""
_GRAIN = 0.25
"""Seconds between two notes of how far it has come."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How it stood at one moment."""

    done: int
    """Bytes."""
    total: int
    rate: float
    """Bytes per second, of late."""


class Pace:
    """Counts the bytes that several threads read."""

    def __init__(self, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic):
        """Begin.

        Args:
            total: bytes that there are to read.
            done: bytes of them that were read before.
            clock: seconds of any beginning.
        """
        self._total = total
        self._done = done
        self._clock = clock
        self._lock = threading.Lock()
        self._notes = collections.deque([(clock(), done)])

    def add(self, count: int) -> None:
        """Count bytes that were read; a negative number subtracts bytes to read again."""
        with self._lock:
            self._done += count
            now = self._clock()
            if now - self._notes[-1][0] >= _GRAIN:
                self._notes.append((now, self._done))
            while len(self._notes) > 1 and self._notes[1][0] <= now - _WINDOW:
                self._notes.popleft()

    @property
    def progress(self) -> Progress:
        """How it stands."""
        with self._lock:
            begun, before = self._notes[0]
            seconds = self._clock() - begun
            rate = max(self._done - before, 0) / seconds if seconds > 0 else 0.0
            return Progress(self._done, self._total, rate)
