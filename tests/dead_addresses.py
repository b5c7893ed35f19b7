"""Addresses of the loopback at which nobody is heard, in the ways that a network has."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

KINDS = ('drops', 'silent')


@contextlib.contextmanager
def dead(count: int, kind: str = 'drops', port: int = 0) -> Generator[list[str]]:
    """Lend hosts, from 127.0.0.2 on, that listen and are dead all the same, at one port.

    Args:
        count: how many.
        kind: `drops` answers no attempt to connect, as a firewall or a machine that is off;
            `silent` accepts and never says a word, as a program that hangs.
        port: 0 takes a free one.

    Yields:
        `host:port` of each.
    """
    with contextlib.ExitStack() as stack:
        found: list[str] = []
        for number in range(count):
            listening = stack.enter_context(socket.socket())
            listening.bind((f'127.0.0.{2 + number}', port))
            port = listening.getsockname()[1]
            listening.listen(0 if kind == 'drops' else 16)
            if kind == 'drops':
                _fill(stack, listening)
            found.append(f'127.0.0.{2 + number}:{port}')
        yield found


def _fill(stack: contextlib.ExitStack, listening: socket.socket) -> None:
    """Let more knock than the kernel keeps: it drops what comes from then on."""
    for _ in range(4):
        knocking = stack.enter_context(socket.socket())
        knocking.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            knocking.connect(listening.getsockname())
