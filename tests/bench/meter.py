"""Counts the bytes that a server answers with, on the way to the client."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.parse
from collections.abc import Callable
from typing import Self

_CHUNK = 1 << 16


class Meter:
    """Stands before a server on this machine. As a context manager it runs within."""

    def __init__(self, endpoint: str):
        address = urllib.parse.urlsplit(endpoint)
        self._server = (address.hostname, address.port)
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.endpoint = f'http://127.0.0.1:{self._listener.getsockname()[1]}'
        self.bytes = 0
        """Received so far."""

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                # Closing alone wakes nobody who waits for it.
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _begin(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                self._begin(self._pass_on, client, server, False)
                self._begin(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if counts:
                    with self._lock:
                        self.bytes += len(chunk)
                target.sendall(chunk)
            # Whoever reads from it has got all.
            target.shutdown(socket.SHUT_WR)
