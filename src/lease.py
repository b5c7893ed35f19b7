"""Whether this unit is the leader now, and has been since its dispatch began.

Juju guarantees leadership for 30 seconds from each question. While a dispatch asks again within
that time, no other unit can have led in between or overwritten the record that was read at the
beginning. A dispatch that hung for longer cannot be sure, and must not act on what it has read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ops import hookcmds

SECONDS = 30.0
_EVERY = 10.0


def steady() -> float:
    """Return the seconds of a clock that cannot be set and continues during sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The leadership of one dispatch."""

    def __init__(
        self,
        began: float,
        ask: Callable[[], bool] = hookcmds.is_leader,
        clock: Callable[[], float] = steady,
    ):
        """Begin the lease.

        Args:
            began: a moment of the clock, just before the dispatch asked whether this unit leads.
            ask: asks Juju.
            clock: tells seconds.
        """
        self._ask = ask
        self._clock = clock
        self._confirmed = began
        self._lost = False
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def keep(self) -> None:
        """Ask again regularly until `end`: a step may read from S3 for minutes."""
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while not self._ended.wait(_EVERY):
            self.renew()

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()

    def renew(self) -> bool:
        """Ask Juju again, and return whether this unit has led without a break."""
        with self._lock:
            asked = self._clock()
            self._lost = self._lost or asked - self._confirmed > SECONDS
            if self._lost:
                return False
            try:
                self._lost = not self._ask()
            except (hookcmds.Error, OSError):
                # Juju did not answer. Ask again while its last guarantee lasts.
                return False
            if not self._lost:
                self._confirmed = asked
            return not self._lost

    def holds(self) -> bool:
        """Whether the guarantee lasts long enough to end the dispatch."""
        if not self._lost and self._clock() - self._confirmed < SECONDS / 2:
            return True
        return self.renew()
