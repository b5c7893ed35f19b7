"""A controller that says what a test has it say, to see how a client takes it.

    with ScriptedController(authority) as controller:
        controller.answers['Application.Leader'] = [{'result': 'postgresql/0'}]

Each request takes the next entry of its method: a dict is the response to it, a `Refusal` an
error, `CUT` breaks the connection, and a callable sends what it likes. The last entry stays.
What has no entry is answered with `{}`. A logged-in `user` is admin of the model.
"""

from __future__ import annotations

import dataclasses
import http
import json
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync import server as websocket_server

from coordinator.juju_api import connection
from rehearsal import tls

MODEL_UUID = '3f1c0e8a-5d0b-4f5e-8f52-4a1c2a9f7b11'
PASSWORD = 'correct-horse-battery-staple'

LOGIN: dict[str, Any] = {
    'servers': [],
    'model-tag': f'model-{MODEL_UUID}',
    'user-info': {
        'display-name': '',
        'identity': 'user-backup-bot',
        'controller-access': 'login',
        'model-access': 'admin',
    },
    'facades': [
        {'name': 'Action', 'versions': [7]},
        {'name': 'Application', 'versions': [15, 16, 17, 18, 19, 20, 21, 22, 23]},
        {'name': 'Client', 'versions': [6, 7, 8]},
        {'name': 'Secrets', 'versions': [1, 2]},
        {'name': 'Storage', 'versions': [6]},
    ],
    'server-version': '3.6.26',
}


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An error instead of a response."""

    message: str
    code: str = ''
    info: dict[str, Any] | None = None


class Cut:
    """The connection breaks instead of an answer."""


CUT = Cut()

Send = Callable[[str], None]
Script = Callable[[dict[str, Any], Send], None]
Entry = dict[str, Any] | Refusal | Cut | Script


def response_to(request: dict[str, Any], entry: dict[str, Any] | Refusal) -> str:
    """Write a frame that answers a request."""
    reply: dict[str, Any] = {'request-id': request['request-id'], 'response': {}}
    if isinstance(entry, dict):
        reply['response'] = entry
    else:
        reply |= {'error': entry.message}
        reply |= {'error-code': entry.code} if entry.code else {}
        reply |= {'error-info': entry.info} if entry.info else {}
    return json.dumps(reply)


class ScriptedController:
    """Serves on 127.0.0.1 (or `host`) until the end of its context."""

    def __init__(
        self,
        authority: tls.Authority,
        *,
        server_name: str = tls.SERVER_NAME,
        host: str = '127.0.0.1',
        http_status: http.HTTPStatus | None = None,
        location: str = '',
    ):
        """With `http_status` it refuses to become a websocket; `location` is for redirects."""
        self.answers: dict[str, list[Entry]] = {'Admin.Login': [LOGIN]}
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self._http_status = http_status
        self._location = location
        self._server = websocket_server.serve(
            self._serve,
            host,
            0,
            family=socket.AF_INET6 if ':' in host else socket.AF_INET,
            ssl=authority.server_context(server_name),
            process_request=self._upgrade,
            ping_interval=None,
            compression=None,
        )
        port = self._server.socket.getsockname()[1]
        self.address = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def called(self, what: str) -> list[dict[str, Any]]:
        """Return the parameters of all requests of a method, in order."""
        return [r['params'] for r in self.requests if f'{r["type"]}.{r["request"]}' == what]

    def endpoint(self, authority: tls.Authority, *more: str) -> connection.Endpoint:
        """Return how to reach it; `more` addresses come first."""
        return connection.Endpoint(
            addresses=[*more, self.address],
            ca_cert=authority.ca_pem,
            model_uuid=MODEL_UUID,
            username='backup-bot',
            password=PASSWORD,
        )

    def _upgrade(
        self, opened: websocket_server.ServerConnection, request: Request
    ) -> Response | None:
        self.paths.append(request.path)
        if self._http_status is None:
            return None
        response = opened.respond(self._http_status, '')
        response.headers['Location'] = self._location
        return response

    def _serve(self, opened: websocket_server.ServerConnection) -> None:
        try:
            for frame in opened:
                if not self._answer(opened, json.loads(frame)):
                    # The socket itself, so that there is no goodbye.
                    opened.socket.shutdown(socket.SHUT_RDWR)
                    return
        except (ConnectionClosed, OSError):
            # Clients leave as they like.
            pass

    def _answer(self, opened: websocket_server.ServerConnection, request: dict[str, Any]) -> bool:
        self.requests.append(request)
        entries = self.answers.get(f'{request["type"]}.{request["request"]}', [{}])
        entry = entries.pop(0) if len(entries) > 1 else entries[0]
        if isinstance(entry, Cut):
            return False
        if isinstance(entry, dict | Refusal):
            opened.send(response_to(request, entry))
        else:
            entry(request, opened.send)
        return True
