"""The listening side of the controller."""

from __future__ import annotations

import http
import re
import urllib.parse
import uuid

from websockets.asyncio import server as websocket_server
from websockets.http11 import Request, Response

from rehearsal import model, tls
from rehearsal.controller import debug_log, session
from rehearsal.controller import faults as fault_switches

_HOST = '127.0.0.1'
_LARGEST_FRAME = 64 << 20
_CLOSING_SECONDS = 0.1
"""A controller that restarts does not wait for clients to say goodbye."""
_PATH = re.compile(r'(?:/model/(?P<model>[^/]*))?/(?P<what>api|log)')
_UUID = re.compile(r'[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}')


class Controller:
    """Serves one model. It may be stopped and started again while the model lives on.

    Everything happens on the event loop that `start` is awaited on, which must be the one of
    the model's clock.
    """

    def __init__(
        self,
        juju: model.Model,
        authority: tls.Authority,
        *,
        faults: fault_switches.Faults | None = None,
        shuffle: bool = True,
        seed: int = 0,
    ):
        self.model = juju
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, f'controller of {juju.uuid}'))
        self.faults = faults or fault_switches.Faults()
        self.shuffle = shuffle
        """Whether answers to requests in flight at the same time may overtake each other."""
        self.seed = seed
        self.port = 0
        self._authority = authority
        self._server: websocket_server.Server | None = None

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as `host:port`."""
        return [f'{_HOST}:{self.port}']

    async def start(self, port: int = 0) -> None:
        """Listen; on the port of last time if there was one, unless another is given."""
        self._server = await websocket_server.serve(
            self._serve,
            _HOST,
            port or self.port,
            ssl=self._authority.server_context(),
            process_request=_refuse_bad_paths,
            compression=None,
            max_size=_LARGEST_FRAME,
            ping_interval=None,
            close_timeout=_CLOSING_SECONDS,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close every connection, as a restart of the controller does."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, connection: websocket_server.ServerConnection) -> None:
        assert connection.request is not None
        address = urllib.parse.urlsplit(connection.request.path)
        path = _PATH.fullmatch(address.path)
        assert path is not None
        if path['what'] == 'log':
            query = urllib.parse.parse_qs(address.query)
            await debug_log.stream(self.model, connection, path['model'] or '', query)
        else:
            await session.Session(self, connection, path['model'] or '').serve()


def _refuse_bad_paths(
    connection: websocket_server.ServerConnection, request: Request
) -> Response | None:
    path = _PATH.fullmatch(urllib.parse.urlsplit(request.path).path)
    if path is None:
        return connection.respond(http.HTTPStatus.NOT_FOUND, 'not found\n')
    if path['model'] is not None and not _UUID.fullmatch(path['model']):
        text = f'invalid model UUID "{path["model"]}"\n'
        return connection.respond(http.HTTPStatus.BAD_REQUEST, text)
    return None
