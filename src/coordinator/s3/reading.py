"""Objects of any size, read whole: an answer that breaks off is taken up again where it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions
import tenacity

from coordinator import errors
from coordinator.s3 import refusals

CHUNK = 1 << 20
"""Bytes that are handed over at once; only the last are fewer. With smaller ones threads wait for
each other more often: with 256 KiB an archive took 5 to 9 % longer to be verified."""
_ATTEMPTS = 5
"""Attempts for each chunk: a server that sends one byte per attempt may do so forever."""
_LONGEST_WAIT = 5.0
"""Seconds between two of them."""
_TOO_SHORT = {'InvalidRange', '416'}


class Reading:
    """The chunks of one object, which must not change meanwhile."""

    def __init__(self, get: Callable[..., Any], key: str, translator: refusals.Translator):
        """Open an object.

        Args:
            get: asks for it; takes `Range` as GetObject does.
            key: names it in errors.
            translator: of the library's errors.
        """
        self._get = get
        self._key = key
        self._errors = translator
        self._body: Any = None
        self._again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(errors.StoreUnavailable),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=0.2, max=_LONGEST_WAIT),
            reraise=True,
        )
        self._at = 0
        with self._errors.request(key):
            answer = get()
            self._body = answer['Body']
            self._size: int = answer['ContentLength']
            self._etag: str = answer['ETag']

    def chunks(self) -> Iterator[bytes]:
        """Yield them in order."""
        while self._at < self._size:
            chunk = self._again(self._next)
            self._at += len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _next(self) -> bytes:
        wanted = min(CHUNK, self._size - self._at)
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            with self._errors.request(self._key):
                body = self._body or self._resume()
                chunk: bytes = body.read(wanted)
            if len(chunk) < wanted:
                # Read with a bound, the library does not notice an answer that breaks off.
                raise errors.StoreUnavailable(f'the answer of S3 with {self._key} is incomplete')
            stack.pop_all()
        return chunk

    def _resume(self) -> Any:
        try:
            answer = self._get(Range=f'bytes={self._at}-')
        except botocore.exceptions.ClientError as error:
            if error.response.get('Error', {}).get('Code') in _TOO_SHORT:
                raise self._changed() from None
            raise
        self._body = answer['Body']
        if answer['ETag'] != self._etag:
            raise self._changed()
        if not answer['ContentRange'].startswith(f'bytes {self._at}-{self._size - 1}/'):
            raise errors.UnexpectedAnswer(
                f'S3 returned another part of {self._key} than was requested'
            )
        return self._body

    def _changed(self) -> errors.UnexpectedAnswer:
        return errors.UnexpectedAnswer(f'{self._key} was replaced while it was read')
