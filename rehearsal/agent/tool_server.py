"""The unit agent's end of the hook tools' socket: see `tool_client` for the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Call:
    """A program's call, as it comes from a process on a machine."""

    name: str
    context_id: str
    """JUJU_CONTEXT_ID of the caller; empty outside hooks."""
    machine: str
    caller: int
    """Process id of what called the program."""
    stdin: bytes
    arguments: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Reply:
    """What the program prints, and its exit code."""

    code: int = 0
    stdout: bytes = b''
    stderr: bytes = b''


def failure(message: str, code: int = 1) -> Reply:
    """Return the reply of a tool that failed, in Juju's form."""
    return Reply(code, stderr=f'ERROR {message}\n'.encode())


class ToolServer:
    """Listens on a unix socket, on the running event loop, and has each call answered."""

    def __init__(self, answer: Callable[[Call], Awaitable[Reply]]):
        self._answer = answer
        self.path = ''
        """Of the socket, once it is listened to."""
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        # A socket's path may have about a hundred characters: the agent's root may be deeper.
        self.path = os.path.join(tempfile.mkdtemp(prefix='juju-'), 'agent.socket')
        self._server = await asyncio.start_unix_server(self._serve, self.path, backlog=100)

    def stop(self) -> None:
        """Listen no more, and drop the calls that still wait."""
        if self._server is None:
            return
        self._server.close()
        for task in self._callers:
            task.cancel()
        shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        # A caller may be killed at any moment, and `stop` may cancel: neither is an error here.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            reply = await self._reply(await _read(reader))
            body = (
                reply.code.to_bytes(4, 'big')
                + len(reply.stdout).to_bytes(4, 'big')
                + reply.stdout
                + reply.stderr
            )
            writer.write(len(body).to_bytes(4, 'big') + body)
            await writer.drain()
        writer.close()
        self._callers.discard(task)

    async def _reply(self, call: Call) -> Reply:
        try:
            return await self._answer(call)
        except Exception:
            logger.exception('%s failed', call.name)
            return failure(f'{call.name}: internal error of the rehearsal, see its log')


async def _read(reader: asyncio.StreamReader) -> Call:
    body = await reader.readexactly(int.from_bytes(await reader.readexactly(4), 'big'))
    fields: list[bytes] = []
    while body:
        end = 4 + int.from_bytes(body[:4], 'big')
        fields.append(body[4:end])
        body = body[end:]
    name, context_id, machine, caller, stdin, *arguments = fields
    return Call(
        name.decode(),
        context_id.decode(),
        machine.decode(),
        int(caller),
        stdin,
        tuple(map(os.fsdecode, arguments)),
    )
