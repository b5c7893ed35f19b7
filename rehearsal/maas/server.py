"""Serves MAAS' API 2.0 out of whatever tells what the database says at that moment."""

from __future__ import annotations

import dataclasses
import http.server
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, Self

from coordinator.ports import maas_port
from rehearsal import records, tls
from rehearsal.maas import wire

_ADDRESS, _NAME = '127.0.0.1', 'localhost'
_THRESHOLD = 300
"""Seconds by which the clock of a client may differ, as MAAS' OAuth has it."""
_FIELD = re.compile(r'oauth_(\w+)="([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    body: bytes
    kind: str = 'text/plain; charset=utf-8'


class MaasServer:
    """A MAAS on a free loopback port. As a context manager it serves within.

    `read` is called for each request, on a thread of the server's. It raises what `records` has
    for it while no region serves. With an authority it is reached over TLS alone.
    """

    def __init__(
        self, read: Callable[[], records.Records], authority: tls.Authority | None = None
    ):
        self._read = read
        self._secure = authority is not None
        self._http = _Http((_ADDRESS, 0), self)
        if authority is not None:
            context = authority.server_context(_NAME)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=[0.05], daemon=True)
        self.requests: list[str] = []
        """Path and query of every request so far."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End serving, if it has begun."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """URL of this MAAS."""
        port = self._http.server_address[1]
        return f'https://{_NAME}:{port}/MAAS' if self._secure else f'http://{_ADDRESS}:{port}/MAAS'

    def _answer(self, target: str, authorization: str) -> Answer | None:
        """Return what MAAS says to a request; None to hang up."""
        self.requests.append(target)
        path, _, query = target.partition('?')
        asked = dict(urllib.parse.parse_qsl(query))
        try:
            known = self._read()
        except records.Initialising:
            return Answer(503, b'<html>The service is temporarily unavailable</html>', 'text/html')
        except records.Silent:
            return None
        if not path.startswith(wire.ROOT):
            return Answer(404, b'<html>Not Found</html>', 'text/html')
        path = path.removeprefix(wire.ROOT)
        if path == 'version/':
            return _json({'version': known.version, 'subversion': '', 'capabilities': []})
        refusal, user = _authenticated(known, authorization)
        if user is None:
            return Answer(401, refusal.encode())
        return _dispatch(known.seen_by(user), user, path, asked)


def _authenticated(
    known: records.Records, authorization: str
) -> tuple[str, maas_port.User | None]:
    """Return whose key signs a request, or why nobody's does."""
    fields = dict(_FIELD.findall(authorization))
    if fields.get('signature_method') != 'PLAINTEXT':
        return 'Authorization Error: no OAuth', None
    if abs(time.time() - int(fields.get('timestamp', 0))) > _THRESHOLD:
        return "Authorization Error: 'Expired timestamp: given and now differ'", None
    # The consumer has no secret, so nothing is before the ampersand.
    secret = urllib.parse.unquote(fields.get('signature', '')).removeprefix('&')
    key = f'{fields.get("consumer_key")}:{fields.get("token")}:{secret}'
    user = known.user_of(key)
    return ('' if user else 'Authorization Error: Invalid API key.'), user


def _dispatch(
    known: records.Records, user: maas_port.User, path: str, asked: dict[str, str]
) -> Answer:
    operation = asked.get('op', '')
    if (path, operation) == ('users/', 'whoami'):
        return _json(wire.user(user))
    if (path, operation) == ('maas/', 'get_config'):
        return _setting(known, asked.get('name', ''))
    if operation:
        return Answer(400, f'Unrecognised signature: GET {operation}'.encode())
    if path in wire.LISTS:
        return _json(wire.LISTS[path](known))
    kind, _, number = path.rstrip('/').partition('/')
    found = [each for each in known.resources if str(each.id) == number]
    if kind == 'boot-resources' and found:
        return _json(wire.resource(found[0], with_sets=True))
    return Answer(404, b'No BootResource matches the given query.')


def _setting(known: records.Records, name: str) -> Answer:
    if name not in known.settings:
        wrong = {name: [f'{name} is not a valid config setting']}
        return dataclasses.replace(_json(wrong), status=400)
    return _json(known.settings[name])


def _json(value: Any) -> Answer:
    # As MAAS does, which has people in mind.
    body = json.dumps(value, indent=4, ensure_ascii=False).encode()
    return Answer(200, body, 'application/json; charset=utf-8')


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], maas: MaasServer):
        super().__init__(address, _Handler)
        self.maas = maas

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self) -> None:
        """Answer a request."""
        assert isinstance(self.server, _Http)
        answer = self.server.maas._answer(self.path, self.headers.get('Authorization', ''))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header('Content-Type', answer.kind)
        self.send_header('Content-Length', str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the rehearsal prints its own story."""
