"""Answers of S3 that end: read with a bound and within a time, whatever the server sends.

botocore by itself reads every answer but an object to its end, and waits for each next byte anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import urllib3.exceptions

from coordinator import errors
from coordinator.s3 import connections, sent, timeouts

LARGEST = 16 << 20
"""Bytes of an answer that is no object: a page of a listing has a thousand keys."""
SECONDS = 600.0
"""From an answer's headers to its last byte, an object's included."""
_CHUNK = 1 << 20


class Session:
    """Stands before botocore's own session, which sends, and hands out bodies with bounds."""

    def __init__(self, inner: Any, patience: timeouts.Patience):
        self._inner = inner
        # The library keeps one table for connections with and without a proxy.
        inner._pool_classes_by_scheme.update(connections.POOLS)
        self._patience = patience

    def send(self, request: Any) -> Any:
        """Send a request; return the answer, read unless it is an object."""
        is_object = request.stream_output
        with self._patience.waiting(), sent.counting(request, is_object) as answers:
            request.stream_output = True
            answer = self._inner.send(request)
            answers.append(answer)
        answer.raw = Body(answer.raw, self._patience)
        if not is_object:
            # Here, so that botocore repeats the request when the answer breaks off.
            _ = answer.content
        return answer

    def close(self) -> None:
        """Close all connections."""
        self._inner.close()


class Body:
    """What botocore asks of the body of an answer."""

    def __init__(self, raw: Any, patience: timeouts.Patience):
        self._raw = raw
        self._patience = patience
        self._end = time.monotonic() + SECONDS

    def read(self, amt: int | None = None) -> bytes:
        """Return at most this number of bytes; without a number, at most `LARGEST`."""
        if amt is None:
            return b''.join(self.stream())
        chunks: list[bytes] = []
        while amt > 0 and (chunk := self._some(min(amt, _CHUNK))):
            chunks.append(chunk)
            amt -= len(chunk)
        return b''.join(chunks)

    def stream(self) -> Iterator[bytes]:
        """Yield all that there is, bit by bit.

        Raises:
            UnexpectedAnswer: it is more than any answer has.
        """
        left = LARGEST
        while chunk := self._some(_CHUNK):
            left -= len(chunk)
            if left < 0:
                self.close()
                raise errors.UnexpectedAnswer(f'an answer of S3 is larger than {LARGEST} bytes')
            yield chunk

    def close(self) -> None:
        """Close the connection if the body was not read to its end."""
        self._raw.close()

    def _some(self, amt: int) -> bytes:
        if time.monotonic() > self._end:
            self.close()
            late = f'longer than {SECONDS:.0f} s'
            raise botocore.exceptions.ReadTimeoutError(endpoint_url='S3', error=late)
        with self._patience.waiting():
            try:
                chunk = self._raw.read1(amt)
            except urllib3.exceptions.HTTPError as error:
                self.close()
                raise botocore.exceptions.HTTPClientError(error=error) from error
        sent.received(len(chunk))
        return chunk
