"""Keeps what an S3 server has acknowledged, so that its process may be killed at any moment.

moto's objects live in memory. Each request that changed something is appended to a file before
its answer goes out, and made again when the next process starts.
"""

from __future__ import annotations

import base64
import datetime
import io
import json
import pathlib
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LOOKS = ('GET', 'HEAD')


class Journal:
    """A WSGI application around moto's; requests come in on several threads."""

    def __init__(self, behind: WSGIApplication, path: pathlib.Path):
        self._behind = behind
        self._lock = threading.Lock()
        if path.exists():
            self._replay(path.read_bytes())
        # Unbuffered: what was written outlives the process.
        self._file = path.open('ab', buffering=0)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ['REQUEST_METHOD'] in _LOOKS:
            return self._behind(environ, start)
        body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
        # One at a time: the order in the file is that of the effects.
        with self._lock:
            status, headers, answer = self._answer(environ, body)
            if status.startswith('2'):
                self._append(environ, body)
        start(status, headers)
        return [answer]

    def _answer(
        self, environ: WSGIEnvironment, body: bytes
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            started[:] = [status, headers]

        request = {**environ, 'wsgi.input': io.BytesIO(body)}
        answer = b''.join(self._behind(request, start))
        return started[0], started[1], answer

    def _append(self, environ: WSGIEnvironment, body: bytes) -> None:
        entry = {
            'at': datetime.datetime.now(datetime.UTC).isoformat(),
            'environ': {key: value for key, value in environ.items() if isinstance(value, str)},
            'body': base64.b64encode(body).decode(),
        }
        self._file.write(json.dumps(entry).encode() + b'\n')

    def _replay(self, content: bytes) -> None:
        # A last line that was cut off belongs to a request that was never answered.
        for line in content.split(b'\n')[:-1]:
            entry = json.loads(line)
            environ: dict[str, Any] = {**entry['environ'], 'wsgi.errors': sys.stderr}
            self._answer(environ, base64.b64decode(entry['body']))
            at = datetime.datetime.fromisoformat(entry['at']).replace(tzinfo=None)
            # WSGI gives the path's bytes as text of Latin-1.
            _date_back(environ['PATH_INFO'].encode('latin-1').decode(), at)


def _date_back(path: str, at: datetime.datetime) -> None:
    """Give the object at `/<bucket>/<key>` the time at which it was first stored."""
    import moto.backends
    import moto.core.models

    bucket, _, key = path.strip('/').partition('/')
    held: Any = moto.backends.get_backend('s3')[moto.core.models.DEFAULT_ACCOUNT_ID]['aws']
    stored = held.buckets[bucket].keys.get(key) if bucket in held.buckets else None
    if stored is not None:
        stored.last_modified = at
