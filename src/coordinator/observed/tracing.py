"""Sends the trace of each operation that has ended to whoever is related for traces.

What it must know between dispatches is in a file on the unit's own disk, which is there while a
receiver is: a dispatch without one does nothing but find that it is missing.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from coordinator import reaching
from coordinator.engine import operation
from coordinator.observed import trace

logger = logging.getLogger(__name__)

FILE = '.tracing'
"""In the charm's folder."""
PROTOCOL = 'otlp_http'
_PATH = '/v1/traces'
_SECONDS = 5.0
"""For each answer of the network."""
_LONGEST = 10.0
"""Seconds for all of it: a hook must not wait for who only watches."""


@dataclasses.dataclass(frozen=True)
class Known:
    """What a unit remembers."""

    url: str
    """Of the receiver."""
    operation: str = ''
    """Id of the operation whose requests are counted."""
    counted: trace.Counted = dataclasses.field(default_factory=dict)


class Tracing:
    """The receiver of one unit, and what it has counted for it."""

    def __init__(self, path: pathlib.Path):
        self._path = path

    @property
    def wanted(self) -> bool:
        """Whether there is a receiver."""
        return self._path.exists()

    def aim(self, receivers: str) -> None:
        """Remember the receiver that is given, or that there is none any more.

        Args:
            receivers: what the relation says, as JSON; '' if it says nothing.
        """
        url = receiver(receivers)
        if not url:
            self._path.unlink(missing_ok=True)
            return
        known = self._read()
        if known is None or known.url != url:
            self._write(Known(url))

    def count(self, op: operation.Operation, counted: Mapping[str, int]) -> None:
        """Add what was asked of S3 to that of the step under way."""
        known = self._read()
        if known is None or not counted:
            return
        before = known.counted if known.operation == op.id else {}
        of_step = collections.Counter(before.get(op.step, {}))
        of_step.update(counted)
        after = {**before, op.step: dict(of_step)}
        self._write(dataclasses.replace(known, operation=op.id, counted=after))

    def send(self, op: operation.Operation, source: trace.Source) -> bool:
        """Send the trace of an operation that has ended; return whether it was taken."""
        known = self._read()
        if known is None:
            return False
        counted = known.counted if known.operation == op.id else {}
        body = json.dumps(trace.of(op, source, counted)).encode()
        error = _sent(known.url.rstrip('/') + _PATH, body)
        if error is not None:
            # The next hook tries again: the operation is over, and this is only told.
            logger.info('%s: its trace was not sent: %s', op.at, _reason(error))
        return error is None

    def _read(self) -> Known | None:
        try:
            raw: dict[str, Any] = json.loads(self._path.read_text())
            known = {field.name for field in dataclasses.fields(Known)}
            return Known(**{name: value for name, value in raw.items() if name in known})
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def _write(self, known: Known) -> None:
        # Whole or not at all; a disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            fresh = self._path.with_suffix('.new')
            fresh.write_text(json.dumps(dataclasses.asdict(known)))
            os.replace(fresh, self._path)


def _sent(url: str, body: bytes) -> Exception | None:
    """Post a trace; return why it was not taken, None if it was.

    A name lookup has no timeout, and an answer may drip for ever: whatever it is, it is left alone
    when the time is over.
    """

    def post() -> bool:
        request = urllib.request.Request(url, body, {'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            raise

    race = reaching.Race([post], bool)
    try:
        for _, _, error in race.outcomes(time.monotonic() + _LONGEST):
            return error
    finally:
        race.close()
    return TimeoutError()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f'the receiver answers {error.code}'
    return f'the receiver does not answer ({type(error).__name__})'


def receiver(receivers: str) -> str:
    """Return the address of the OTLP receiver over HTTP; '' if there is none.

    Args:
        receivers: JSON as the interface `tracing` says: a list of `protocol` (`name`, `type`) and
            `url`.
    """
    try:
        listed: list[dict[str, Any]] = json.loads(receivers) if receivers else []
        urls = [str(each['url']) for each in listed if each['protocol']['name'] == PROTOCOL]
    except (ValueError, LookupError, TypeError):
        return ''
    return next((url for url in urls if url.startswith(('http://', 'https://'))), '')
