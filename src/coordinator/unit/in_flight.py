"""Remembers, on the unit's own disk, that something was sent and nothing heard of it yet.

A dispatch that is killed right after it sent a request loses the record of that, and the request
may take effect seconds later. So does one that hears of no answer and whose record is lost then.
What is lost with the machine needs no memory: no machine is back, and no other unit leads, sooner
than a request is over.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import time


class InFlight:
    """An empty file: it is there from the first request with an effect until all are answered."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._remembering = False
        self._unanswered = 0
        self._left: float | None = None
        """When an earlier dispatch sent a request that was never answered."""

    def take_up(self) -> datetime.datetime | None:
        """Remember from now on; return when something was sent that was never answered, if so."""
        self._remembering = True
        with contextlib.suppress(OSError):
            sent = self._path.stat().st_mtime
            if sent > time.time():
                # The clock was set back: a doubt that lies ahead would begin anew each time.
                os.utime(self._path)
                sent = self._path.stat().st_mtime
            self._left = sent
            return datetime.datetime.fromtimestamp(sent, datetime.UTC)
        return None

    def sending(self) -> None:
        """Note that a request with an effect is about to be sent."""
        if not self._remembering:
            # Who only looks, or tries out, must not disturb what a dispatch has left.
            return
        self._unanswered += 1
        # A full disk must not stop a backup: the memory is there for the rarest of moments.
        with contextlib.suppress(OSError):
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            os.utime(self._path)

    def answered(self) -> None:
        """Note that the request was answered, so that a kill from now on leaves no doubt about it.

        An unanswered request of an earlier dispatch stays in doubt until a record that notes it is
        stored.
        """
        if not self._remembering:
            return
        self._unanswered -= 1
        if self._unanswered:
            return
        if self._left is None:
            self.settle()
            return
        with contextlib.suppress(OSError):
            os.utime(self._path, (self._left, self._left))

    def settle(self) -> None:
        """Note that all requests were answered."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
