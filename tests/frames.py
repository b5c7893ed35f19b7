"""A websocket to a controller, for tests that read and write its frames themselves."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Generator

import websocket

from rehearsal import tls


@contextlib.contextmanager
def dialled(
    address: str, ca_pem: str, path: str, seconds: float, header: list[str] | None = None
) -> Generator[websocket.WebSocket]:
    """Lend a websocket to `host:port`, over TLS as Juju's own clients verify it."""
    host, _, port = address.rpartition(':')
    # One thread reads and writes: before Python 3.13 two must not share a TLS socket.
    trust = ssl.create_default_context(cadata=ca_pem)
    plain = socket.create_connection((host.strip('[]'), int(port)), seconds)
    with trust.wrap_socket(plain, server_hostname=tls.SERVER_NAME) as secure:
        yield websocket.create_connection(
            f'wss://{tls.SERVER_NAME}{path}', socket=secure, timeout=seconds, header=header or []
        )
