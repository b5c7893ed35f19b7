"""How long S3 servers are waited for that say nothing: those that are down, or behind a firewall.

The library tries each request several times, and a dispatch sends many: were each waited for, one
server that drops packets would keep the unit from all its other hooks for minutes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator

import botocore.exceptions


class Silent(botocore.exceptions.BotoCoreError):
    """The server has been silent for long enough. The library does not try that again."""

    fmt = 'The server was silent for too long.'


class Patience:
    """What a dispatch has for one server, whatever it asks: an answer renews it.

    Waiting ends between two attempts, so that it lasts no longer than `enough` and one attempt.
    """

    def __init__(
        self,
        connect: float = 10.0,
        read: float = 20.0,
        enough: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.connect = connect
        """Seconds for a connection."""
        self.read = read
        """Seconds for the next bytes of an answer."""
        self._enough = enough
        self._clock = clock
        self._silent = 0.0

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """Wait for a server in here.

        Raises:
            Silent: it has been waited for long enough.
        """
        if self._silent >= self._enough:
            raise Silent
        begun = self._clock()
        try:
            yield
        except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError):
            # Threads that wait at the same time add up: patience only ends sooner.
            self._silent += self._clock() - begun
            raise
        self._silent = 0.0
