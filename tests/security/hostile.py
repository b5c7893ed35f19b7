"""A server that answers as none should: what it sends is up to the test.

    def script(line: Line) -> None:
        line.send(b'HTTP/1.1 200 OK\\r\\n\\r\\n')
        line.flood(b'x' * 1024)

    with Server(script) as server:
        ...

The script is called for each request, with the line that it came on.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

import trustme

ENOUGH = 96 << 20
"""Bytes of a flood: more than any bound, and an end all the same."""
_PATIENCE = 20.0
"""Seconds that a client may leave a line idle."""


class Line:
    """One connection, after a request has come in."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.head = b''
        """Request line and headers of the request that is answered now."""
        self.sent = 0

    def send(self, data: bytes) -> None:
        """Send some bytes."""
        self.connection.sendall(data)
        self.sent += len(data)

    def flood(self, chunk: bytes) -> None:
        """Send the same again and again, until the client hangs up or has had enough."""
        while self.sent < ENOUGH:
            self.send(chunk)

    def answer(self, body: bytes, *headers: str, status: str = '200 OK') -> None:
        """Send a whole answer."""
        lines = [f'HTTP/1.1 {status}', f'Content-Length: {len(body)}', *headers, '', '']
        self.send('\r\n'.join(lines).encode() + body)


class Server:
    """Serves on a free loopback port until the end of its context."""

    def __init__(self, script: Callable[[Line], None], context: ssl.SSLContext | None = None):
        self.lines: list[Line] = []
        self.requests: list[bytes] = []
        self._script = script
        self._context = context
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Closing alone would not wake up who waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self.lines:
            with contextlib.suppress(OSError):
                line.connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def address(self) -> str:
        return f'127.0.0.1:{self._listener.getsockname()[1]}'

    @property
    def sent(self) -> int:
        """How many bytes all clients took, or had on the way to them."""
        return sum(line.sent for line in self.lines)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(_PATIENCE)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # Clients hang up as they like: that is what most tests are about.
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
            line = Line(connection)
            self.lines.append(line)
            with connection.makefile('rb') as incoming:
                while head := self._head(incoming.readline):
                    line.head = head
                    self.requests.append(head)
                    self._script(line)

    def _head(self, readline: Callable[[], bytes]) -> bytes:
        lines: list[bytes] = []
        while (line := readline()) not in (b'', b'\r\n'):
            lines.append(line)
        return b''.join(lines) if line else b''


def server_context(
    authority: trustme.CA, name: str, not_after: datetime.datetime | None = None
) -> ssl.SSLContext:
    """Return a context for a server that this authority vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context
