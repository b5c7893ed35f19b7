"""Sends the trace of each operation that has ended to whoever is related for traces.

What it must know between dispatches is in a file on the unit's own disk, which is there while a
receiver is: a dispatch without one does nothing but find that it is missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import logging
import os
import pathlib
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from coordinator.engine import operation
from coordinator.observed import trace

logger = logging.getLogger(__name__)

FILE = '.tracing'
"""In the charm's folder."""
PROTOCOL = 'otlp_http'
_PATH = '/v1/traces'
_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Known:
    """What a unit remembers."""

    url: str
    """Of the receiver."""
    operation: str = ''
    """Id of the operation whose requests are counted."""
    requests: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """To S3, by step."""


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

    def count(self, op: operation.Operation, requests: int) -> None:
        """Add requests to S3 to those of the step under way."""
        known = self._read()
        if known is None or not requests:
            return
        counted = dict(known.requests) if known.operation == op.id else {}
        counted[op.step] = counted.get(op.step, 0) + requests
        self._write(dataclasses.replace(known, operation=op.id, requests=counted))

    def send(self, op: operation.Operation, source: trace.Source) -> bool:
        """Send the trace of an operation that has ended; return whether it was taken."""
        known = self._read()
        if known is None:
            return False
        requests = known.requests if known.operation == op.id else {}
        body = json.dumps(trace.of(op, source, requests)).encode()
        url, headers = known.url.rstrip('/') + _PATH, {'Content-Type': 'application/json'}
        try:
            request = urllib.request.Request(url, body, headers)
            with urllib.request.urlopen(request, timeout=_SECONDS):
                return True
        except (OSError, ValueError, http.client.HTTPException) as error:
            # The next hook tries again: the operation is over, and this is only told.
            logger.info('%s: its trace was not sent: %s', op.at, _reason(error))
            return False

    def _read(self) -> Known | None:
        try:
            raw: dict[str, Any] = json.loads(self._path.read_text())
            return Known(**raw)
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, known: Known) -> None:
        # Whole or not at all; a disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            fresh = self._path.with_suffix('.new')
            fresh.write_text(json.dumps(dataclasses.asdict(known)))
            os.replace(fresh, self._path)


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
