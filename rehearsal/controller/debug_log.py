"""The model's log, which `juju debug-log` follows on a websocket beside the API."""

from __future__ import annotations

import asyncio
import base64
import binascii
import fnmatch
import json
import math
from collections.abc import Iterator, Mapping, Sequence

import websockets
from websockets.asyncio.server import ServerConnection

from rehearsal import model, permissions
from rehearsal.controller import wire

_LEVELS = ('TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')

Query = Mapping[str, Sequence[str]]
"""The parameters of the address."""


async def stream(
    juju: model.Model, connection: ServerConnection, model_uuid: str, query: Query
) -> None:
    """Send the lines that are asked for, and those to come unless only these are wanted.

    The first frame says whether there will be any: an error, or none.
    """
    try:
        _check(juju, connection, model_uuid)
    except model.ModelError as refusal:
        await connection.send(json.dumps({'error': wire.error(refusal)}))
        return
    await connection.send('{}')
    changed = asyncio.Event()
    juju.on_change.append(changed.set)
    try:
        left = int(_first(query, 'maxLines', '0')) or math.inf
        for line in _followed(juju, query):
            if line is not None:
                await connection.send(json.dumps(line))
                left -= 1
            elif not await _stirred(changed, connection):
                break
            if not left:
                break
    except websockets.ConnectionClosed:
        pass
    finally:
        juju.on_change.remove(changed.set)


async def _stirred(changed: asyncio.Event, connection: ServerConnection) -> bool:
    """Wait for a change; return whether somebody still listens."""
    changed.clear()
    waits = [
        asyncio.ensure_future(changed.wait()),
        asyncio.ensure_future(connection.wait_closed()),
    ]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return waits[1] not in done


def _check(juju: model.Model, connection: ServerConnection, model_uuid: str) -> None:
    assert connection.request is not None
    scheme, _, coded = connection.request.headers.get('Authorization', '').partition(' ')
    try:
        tag, _, password = base64.b64decode(coded).decode().partition(':')
    except (binascii.Error, UnicodeDecodeError):
        tag = password = ''
    user = juju.users.get(tag.removeprefix('user-').removesuffix('@local'))
    if scheme != 'Basic' or user is None or not password or user.password != password:
        raise model.ModelError('invalid entity name or password', 'unauthorized access')
    if model_uuid not in ('', juju.uuid):
        raise model.ModelError(f'unknown model: "{model_uuid}"', 'model not found')
    permissions.check_access(user, 'read')


def _followed(juju: model.Model, query: Query) -> Iterator[wire.Json | None]:
    """Yield lines, and None where there is nothing to do but wait."""
    lines = [line for line in juju.lines if _wanted(line, query)]
    seen = juju.logged
    if 'replay' not in query:
        backlog = int(_first(query, 'backlog', '0'))
        lines = lines[-backlog:] if backlog else []
    yield from (_described(juju, line) for line in lines)
    while 'noTail' not in query:
        new = min(juju.logged - seen, len(juju.lines))
        seen = juju.logged
        newest = list(juju.lines)[len(juju.lines) - new :]
        yield from (_described(juju, line) for line in newest if _wanted(line, query))
        yield None


def _first(query: Query, name: str, default: str) -> str:
    return query.get(name, (default,))[0]


def _wanted(line: model.LogLine, query: Query) -> bool:
    level = _first(query, 'level', _LEVELS[0])
    least = _LEVELS.index(level) if level in _LEVELS else 0
    return (
        _level(line) >= least
        and _matches(line.tag, query.get('includeEntity', ('*',)))
        and not _matches(line.tag, query.get('excludeEntity', ()))
        and _is_below(line.module, query.get('includeModule', ('',)))
        and not _is_below(line.module, query.get('excludeModule', ()))
    )


def _level(line: model.LogLine) -> int:
    return _LEVELS.index(line.level) if line.level in _LEVELS else len(_LEVELS)


def _matches(tag: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(tag, pattern) for pattern in patterns)


def _is_below(module: str, parents: Sequence[str]) -> bool:
    return any(f'{module}.'.startswith(f'{parent}.' if parent else '') for parent in parents)


def _described(juju: model.Model, line: model.LogLine) -> wire.Json:
    return {
        'mid': juju.uuid,
        'tag': line.tag,
        'ts': wire.timestamp(line.when),
        'sev': line.level,
        'mod': line.module,
        'loc': '',
        'msg': line.text,
        'lab': {},
    }
