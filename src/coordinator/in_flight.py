"""Remembers, on the unit's own disk, that something was sent and nothing heard of it yet.

A dispatch that is killed right after it sent a request loses the record of that, and the request
may take effect seconds later. What is killed with the machine needs no memory: no machine is back,
and no other unit leads, sooner than a request is over.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib


class InFlight:
    """An empty file: it is there from the first request with an effect until the dispatch ends."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._left = self._look()

    def _look(self) -> datetime.datetime | None:
        with contextlib.suppress(OSError):
            return datetime.datetime.fromtimestamp(self._path.stat().st_mtime, datetime.UTC)
        return None

    @property
    def since(self) -> datetime.datetime | None:
        """When a dispatch before this one sent something, if it did not come to its end."""
        return self._left

    def sending(self) -> None:
        """Note that a request with an effect is about to be sent."""
        # A full disk must not stop a backup: the memory is there for the rarest of moments.
        with contextlib.suppress(OSError):
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            os.utime(self._path)

    def ended(self) -> None:
        """Note that the dispatch has come to its end."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
