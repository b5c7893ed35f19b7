"""How far a reading has come, how fast it goes, and how long it will take."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable

from coordinator import figures

_WINDOW = 10.0
"""Seconds that the rate is an average of."""
_GRAIN = 0.25
"""Seconds between two notes of how far it has come."""
_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Progress:
    """How it stood at one moment."""

    done: int
    """Bytes."""
    total: int
    rate: float
    """Bytes per second, of late."""

    @property
    def percent(self) -> int:
        """Rounded down: 100 only when everything was read."""
        return min(100 * self.done // self.total, 100) if self.total else 100

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None while there is nothing to base it on."""
        return max(self.total - self.done, 0) / self.rate if self.rate else None

    def __str__(self) -> str:
        left = self.seconds_left
        parts = [
            f'{self.percent} % of {figures.size(self.total)}',
            f'{self.rate / _MIB:.0f} MiB/s',
            *([] if left is None else [_left(left)]),
        ]
        return ', '.join(parts)


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
        """Count bytes that were read; a negative number takes back some that were in vain."""
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


def _left(seconds: float) -> str:
    minutes = round(seconds / 60)
    if not minutes:
        return 'less than a minute left'
    hours, rest = divmod(minutes, 60)
    return f'about {hours} h {rest} min left' if hours else f'about {minutes} min left'
