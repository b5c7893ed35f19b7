"""One request and one answer, each a line of JSON, over a socket file that its owner may use."""

from __future__ import annotations

import asyncio
import json
import logging
import pathlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

Json = dict[str, Any]

logger = logging.getLogger(__name__)

_LONGEST_LINE = 1 << 22


class Unanswered(Exception):
    """Nobody listens there."""


async def serve(
    path: pathlib.Path, answer: Callable[[Json], Awaitable[Json]]
) -> asyncio.AbstractServer:
    """Answer requests that come in by a socket file."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await answer(json.loads(await reader.readline()))
            writer.write(json.dumps(reply).encode() + b'\n')
            await writer.drain()
        except (ConnectionError, ValueError):
            logger.debug('whoever asked has gone, or sent no request')
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(once, path, limit=_LONGEST_LINE)
    path.chmod(0o600)
    return server


def ask(path: pathlib.Path, request: Json) -> Json:
    """Send a request, and wait for the answer as long as it takes.

    Raises:
        Unanswered: nobody listens, or the one who did went away.
    """
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            line.sendall(json.dumps(request).encode() + b'\n')
            return json.loads(line.makefile().readline())
    except (OSError, ValueError):
        raise Unanswered('no rehearsal is up: python -m rehearsal up') from None
