"""When systemd's timers ring.

As those of systemd 255: a calendar timer rings at each time of its expression, a persistent one
at once if it would have rung while it was not there, and once however often that was. A random
delay is left out.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from coordinator.unit import calendars
from rehearsal import clock as clocks


@dataclasses.dataclass
class Timer:
    """A transient timer of one machine."""

    running: clocks.Running


class Stamps:
    """When each persistent timer rang last; kept when its machine restarts."""

    def __init__(self) -> None:
        self._rang: dict[tuple[str, str], datetime.datetime] = {}
        self._calendars = calendars.Calendars()

    def rings(
        self,
        where: tuple[str, str],
        clock: clocks.Clock,
        calendar: str,
        delay: float,
        persistent: bool,
    ) -> Iterator[float]:
        """Yield the seconds to wait for each ring.

        Args:
            where: machine and name of the timer.
            clock: tells the time.
            calendar: an expression; empty for a timer that rings once.
            delay: seconds before that.
            persistent: whether it makes up for a ring.
        """
        if not calendar:
            yield delay
            return
        base = self._rang.setdefault(where, clock.now()) if persistent else clock.now()
        while times := self._calendars.after(calendar, base):
            yield max((times[0] - clock.now()).total_seconds(), 0.0)
            base = self._rang[where] = clock.now()
