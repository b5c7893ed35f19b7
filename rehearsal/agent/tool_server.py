"""The unit agent's end of the hook tools, and the programs at the other end.

`ops` calls fifteen to twenty hook tools in a dispatch, each a process. So a program is a few
lines of bash: it speaks TCP, and has ended before a Python would have started.

A program sends the server's token and the count of the fields that follow: the machine, its own
name, JUJU_CONTEXT_ID, the process that called it, its input, and its arguments. It gets back the
exit code and what to print to stderr, then what to print to stdout. All but the last are ended
by NUL bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import secrets
import shlex
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

_HOST = '127.0.0.1'
_LONGEST = 1 << 24
"""Bytes of one field."""
_PROGRAM = """\
input=
# A substitution reads in blocks, where bash's own `read` would take a byte at a time.
case " $* " in *' --file - '*) input=$(cat; printf .) input=${input%.} ;; esac
exec 3<>"/dev/tcp/$server" || exit 1
printf '%s\\0' "$token" "$(($# + 5))" \\
  "$machine" "$name" "$JUJU_CONTEXT_ID" "$PPID" "$input" "$@" >&3
IFS= read -r -d '' -u 3 code
IFS= read -r -d '' -u 3 errors
cat <&3
printf %s "$errors" >&2
exit "${code:-1}"
"""


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
    """Listens on the running event loop, and has each call of a program answered."""

    def __init__(self, answer: Callable[[Call], Awaitable[Reply]]):
        self._answer = answer
        self.address = ''
        """`host:port`, once it is listened to."""
        # Other users of this machine can connect as well.
        self._token = secrets.token_hex()
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, _HOST, 0, limit=_LONGEST, backlog=100
        )
        _, port = self._server.sockets[0].getsockname()
        self.address = f'{_HOST}:{port}'

    def stop(self) -> None:
        """Listen no more, and drop the calls that still wait."""
        if self._server is None:
            return
        self._server.close()
        for task in self._callers:
            task.cancel()

    def program(self, name: str, machine: str) -> str:
        """Return the program that calls this server under a name, on a machine."""
        words = {
            'server': self.address.replace(':', '/'),
            'token': self._token,
            'machine': machine,
            'name': name,
        }
        known = [f'{key}={shlex.quote(word)}' for key, word in words.items()]
        return '\n'.join(['#!/bin/bash', *known, _PROGRAM])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        # A caller may be killed at any moment, and `stop` may cancel: neither is an error here.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if secrets.compare_digest(await _field(reader), self._token.encode()):
                reply = await self._reply(await _read(reader))
                writer.write(b'%d\0%s\0%s' % (reply.code, reply.stderr, reply.stdout))
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
    count = int(await _field(reader))
    fields = [(await _field(reader)).decode(errors='surrogateescape') for _ in range(count)]
    machine, name, context_id, caller, stdin, *arguments = fields
    return Call(name, context_id, machine, int(caller), os.fsencode(stdin), tuple(arguments))


async def _field(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(b'\0'))[:-1]
