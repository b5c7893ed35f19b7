"""An S3 server of a few lines that is unlike AWS in the ways that real ones are, and moto is not.

It keeps one bucket in memory, and can be told to be older, slower to agree with itself or more
sparing with its pages. Who asked for what is noted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import hashlib
import http.server
import re
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Self
from xml.sax import saxutils

_SECONDS = 1_780_000_000
_SCOPE = re.compile(r'Credential=[^/]+/\d+/([^/]+)/s3/')
_NEW = ('x-amz-checksum-', 'x-amz-sdk-checksum-', 'x-amz-trailer', 'x-amz-decoded-content-length')
"""How the headers begin that came with the newer checksums."""


@dataclasses.dataclass
class Ways:
    """How this server is unlike AWS."""

    page: int = 1000
    """Keys that it gives at a time, however many were asked for."""
    empty_pages: int = 0
    """Pages without a key, each with a token, before each other one."""
    knows_checksums: bool = True
    """Whether it answers to whoever sends a header of the newer checksums."""
    region: str = ''
    """The only one that requests may be signed for; '' for any."""
    old_answers: int = 0
    """Number of reads and listings that still return the state before the last change."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that has come."""

    method: str
    host: str
    path: str
    region: str


@dataclasses.dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes = b''
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])


class AwkwardS3(http.server.ThreadingHTTPServer):
    """Serves on a free loopback port until the end of its context."""

    daemon_threads = True

    def __init__(self, ways: Ways, bucket: str = 'backups') -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.ways = ways
        self.bucket = bucket
        self.asked: list[Asked] = []
        self._objects: dict[str, bytes] = {}
        self._before: dict[str, bytes] = {}
        self._serving = contextlib.ExitStack()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        self._serving.callback(self.server_close)
        self._serving.callback(thread.join)
        self._serving.callback(self.shutdown)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._serving.close()

    def answer(self, asked: Asked, headers: Mapping[str, str], body: bytes) -> _Answer:
        """Do what was asked; buckets are named in the path or at the beginning of the host."""
        self.asked.append(asked)
        if self.ways.region not in ('', asked.region):
            return _error(400, 'AuthorizationHeaderMalformed')
        if not self.ways.knows_checksums and _has_checksums(headers):
            return _error(400, 'InvalidArgument')
        path, _, query = asked.path.partition('?')
        key = urllib.parse.unquote(path.removeprefix('/'))
        if not asked.host.startswith(f'{self.bucket}.'):
            bucket, _, key = key.partition('/')
            if bucket != self.bucket:
                return _error(404, 'NoSuchBucket')
        if asked.method == 'PUT':
            self._change({**self._objects, key: body})
            return _Answer(200, headers={'ETag': _etag(body)})
        if asked.method == 'DELETE':
            self._change({name: self._objects[name] for name in self._objects if name != key})
            return _Answer(204)
        seen = self._seen()
        if not key:
            return self._page(seen, dict(urllib.parse.parse_qsl(query, keep_blank_values=True)))
        if key not in seen:
            return _error(404, 'NoSuchKey')
        told = {'ETag': _etag(seen[key]), 'Last-Modified': email.utils.formatdate(_SECONDS)}
        return _Answer(200, seen[key], told)

    def _change(self, objects: dict[str, bytes]) -> None:
        self._before, self._objects = self._objects, objects

    def _seen(self) -> Mapping[str, bytes]:
        if self.ways.old_answers and self._before != self._objects:
            self.ways.old_answers -= 1
            return self._before
        return self._objects

    def _page(self, seen: Mapping[str, bytes], asked: Mapping[str, str]) -> _Answer:
        """List; a token is the number of what was shown before, and of empty pages since."""
        prefix, delimiter = asked.get('prefix', ''), asked.get('delimiter', '')
        begin, empty = map(int, asked.get('continuation-token', '0-0').split('-'))
        names = sorted(name for name in seen if name.startswith(prefix))
        shown = [(_until(name, delimiter, len(prefix)) if delimiter else name) for name in names]
        entries = list(dict.fromkeys(shown))
        end = begin + min(self.ways.page, int(asked.get('max-keys', '1000')))
        following = f'{end}-0'
        if empty < self.ways.empty_pages:
            end, following = begin, f'{begin}-{empty + 1}'
        more = end < len(entries)
        told = ''.join(_entry(entry, seen) for entry in entries[begin:end])
        token = f'<NextContinuationToken>{following}</NextContinuationToken>' if more else ''
        body = (
            f'<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{told}'
            '</ListBucketResult>'
        )
        return _Answer(200, body.encode())


def _until(name: str, delimiter: str, begin: int) -> str:
    """Return a key, or its beginning to the next delimiter."""
    at = name.find(delimiter, begin)
    return name if at < 0 else name[: at + len(delimiter)]


def _entry(name: str, seen: Mapping[str, bytes]) -> str:
    escaped = saxutils.escape(name)
    if name not in seen:
        return f'<CommonPrefixes><Prefix>{escaped}</Prefix></CommonPrefixes>'
    return (
        f'<Contents><Key>{escaped}</Key><Size>{len(seen[name])}</Size>'
        f'<ETag>{saxutils.escape(_etag(seen[name]))}</ETag>'
        '<LastModified>2026-05-28T20:26:40.000Z</LastModified></Contents>'
    )


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _error(status: int, code: str) -> _Answer:
    return _Answer(status, f'<Error><Code>{code}</Code><Message>no</Message></Error>'.encode())


def _has_checksums(headers: Mapping[str, str]) -> bool:
    chunked = 'aws-chunked' in headers.get('content-encoding', '')
    return chunked or any(name.startswith(_NEW) for name in headers)


class _Handler(http.server.BaseHTTPRequestHandler):
    # Older ones would not say that they are ready for a body, which the library waits for.
    protocol_version = 'HTTP/1.1'

    def _serve(self) -> None:
        server = self.server
        assert isinstance(server, AwkwardS3)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get('content-length', '0')))
        scope = _SCOPE.search(headers.get('authorization', ''))
        asked = Asked(
            self.command, headers['host'].partition(':')[0], self.path, scope[1] if scope else ''
        )
        answer = server.answer(asked, headers, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(answer.body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815  (so the library looks for them)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests."""
