"""A gate before the S3 server: knows who may come in, and makes requests fail on demand.

A WSGI application around another. It is steered over HTTP, below `/_gate`.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import json
import re
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL = '/_gate'
WRITER = ('rehearsal-access-key', 'rehearsal-secret-key')
READER = ('rehearsal-reader-key', 'rehearsal-reader-secret')
_ACCESS_KEY = re.compile(r'Credential=([^/]+)/')
_ANSWERS = {
    '500': ('500 Internal Server Error', 'InternalError', 'We encountered an internal error.'),
    '503': ('503 Service Unavailable', 'ServiceUnavailable', 'Please reduce your request rate.'),
    'slow-down': ('503 Slow Down', 'SlowDown', 'Please reduce your request rate.'),
    'access-denied': ('403 Forbidden', 'AccessDenied', 'Access Denied'),
    'full': (
        '507 Insufficient Storage',
        'XMinioStorageFull',
        'Storage backend has reached its minimum free drive threshold.',
    ),
    'quota': ('403 Forbidden', 'QuotaExceeded', 'The quota of the bucket is used up.'),
    'skewed': (
        '403 Forbidden',
        'RequestTimeTooSkewed',
        'The difference between the request time and the current time is too large.',
    ),
    'unknown-key': (
        '403 Forbidden',
        'InvalidAccessKeyId',
        'The AWS Access Key Id you provided does not exist in our records.',
    ),
}
KINDS = ('500', '503', 'slow-down', 'access-denied', 'full', 'quota', 'cut', 'truncate')
_LARGEST_SKEW = datetime.timedelta(minutes=15)
"""By which the clock of who asks may be wrong."""


@dataclasses.dataclass
class Rule:
    """The next `count` requests of this method to a path that begins so go wrong in this way."""

    kind: str
    """One of KINDS: `cut` breaks the connection off, `truncate` does so within the answer."""
    count: int = 1
    method: str = ''
    prefix: str = '/'

    def matches(self, method: str, path: str) -> bool:
        return self.count > 0 and self.method in ('', method) and path.startswith(self.prefix)


class Gate:
    """The WSGI application; requests come in on several threads."""

    def __init__(self, behind: WSGIApplication):
        self._behind = behind
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._counts: collections.Counter[str] = collections.Counter()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ['REQUEST_METHOD'], environ['PATH_INFO']
        if path == CONTROL:
            return self._control(environ, start)
        refusal = _refusal(environ)
        with self._lock:
            self._counts[method] += 1
            rule = next((rule for rule in self._rules if rule.matches(method, path)), None)
            if rule is not None and not refusal:
                rule.count -= 1
                refusal = rule.kind
        if refusal in _ANSWERS:
            return _answer(refusal, environ, start)
        if refusal == 'cut':
            _hang_up(environ)
            raise ConnectionResetError('cut off on request')
        if refusal == 'truncate':
            return self._truncated(environ, start)
        return self._behind(environ, start)

    def _control(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """PUT replaces the rules; any method answers with the rules and how many requests came."""
        if environ['REQUEST_METHOD'] == 'PUT':
            rules = [Rule(**rule) for rule in json.loads(_body(environ))]
            with self._lock:
                self._rules = rules
        with self._lock:
            state = {
                'rules': [dataclasses.asdict(r) for r in self._rules],
                'requests': self._counts,
            }
            body = json.dumps(state).encode()
        start('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))])
        return [body]

    def _truncated(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Announce the whole answer, give half of it, and hang up."""
        body = b''.join(self._behind(environ, start))
        yield body[: len(body) // 2]
        _hang_up(environ)


def _refusal(environ: WSGIEnvironment) -> str:
    """Return why this request may not be made; moto itself checks neither keys nor clocks."""
    header = environ.get('HTTP_AUTHORIZATION', '') + environ.get('QUERY_STRING', '')
    match = _ACCESS_KEY.search(header.replace('X-Amz-Credential=', 'Credential='))
    key = match.group(1) if match else ''
    if key not in (WRITER[0], READER[0]):
        return 'unknown-key'
    writes = environ['REQUEST_METHOD'] in ('PUT', 'POST', 'DELETE')
    if writes and key == READER[0]:
        return 'access-denied'
    return 'skewed' if _skewed(environ.get('HTTP_X_AMZ_DATE', '')) else ''


def _skewed(date: str) -> bool:
    """Whether a request, signed at this time by the clock of who asks, is refused."""
    if not date:
        return False
    asked = datetime.datetime.strptime(f'{date}+0000', '%Y%m%dT%H%M%SZ%z')
    return abs(datetime.datetime.now(datetime.UTC) - asked) > _LARGEST_SKEW


def _body(environ: WSGIEnvironment) -> bytes:
    return environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))


def _answer(refusal: str, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    # What is not read now would be taken for the next request on this connection.
    _body(environ)
    status, code, message = _ANSWERS[refusal]
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = [('Content-Type', 'application/xml'), ('Content-Length', str(len(body)))]
    start(status, headers)
    return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else body.encode()]


def _hang_up(environ: WSGIEnvironment) -> None:
    connection: Any = environ['werkzeug.socket']
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
