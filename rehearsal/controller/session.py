"""One connection to the controller: frames in, answers out."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import itertools
import json
import logging
import random
from typing import TYPE_CHECKING, Any

import websockets
from websockets.asyncio.server import ServerConnection

from rehearsal import model
from rehearsal.controller import facades, faults, login, rpc, watchers, wire

if TYPE_CHECKING:
    from rehearsal.controller import server

logger = logging.getLogger(__name__)

_LONGEST_DETOUR = 0.005
"""Seconds by which an answer may fall behind the others that are in flight."""


@dataclasses.dataclass(frozen=True)
class _Request:
    id: int
    facade: str
    version: int
    method: str
    watcher_id: str
    params: wire.Json

    @property
    def name(self) -> str:
        return f'{self.facade}.{self.method}'


class Session:
    """A connection to the model, or to the controller alone (`model_uuid` empty)."""

    def __init__(self, controller: server.Controller, socket: ServerConnection, model_uuid: str):
        self.controller = controller
        self.model_uuid = model_uuid
        self.user_name = ''
        """Who has logged in; empty before."""
        self.watchers: dict[str, watchers.Watcher] = {}
        self._watcher_ids = itertools.count(1)
        self._socket = socket
        self._answering: set[asyncio.Task[None]] = set()
        self._detours = random.Random(controller.seed)

    @property
    def model(self) -> model.Model:
        return self.controller.model

    def add_watcher(self, watcher: watchers.Watcher) -> str:
        """Keep a watcher for this connection and return its id."""
        watcher_id = str(next(self._watcher_ids))
        self.watchers[watcher_id] = watcher
        return watcher_id

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        try:
            async for frame in self._socket:
                request = self._read(frame)
                if request is None:
                    # Juju hangs up on what it cannot read as a request.
                    break
                task = asyncio.create_task(self._answer(request))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
        except websockets.ConnectionClosedError:
            logger.debug('connection lost')
        finally:
            for watcher in self.watchers.values():
                watcher.stop()
            for task in self._answering:
                task.cancel()

    def _read(self, frame: str | bytes) -> _Request | None:
        try:
            # Go's decoder does not mind the case of keys, and python-libjuju relies on it.
            fields: dict[str, Any] = {k.lower(): v for k, v in json.loads(frame).items()}
        except (ValueError, AttributeError):
            return None
        request_id = fields.get('request-id', 0)
        if not request_id and self.model.juju4:
            return None
        return _Request(
            request_id,
            fields.get('type', ''),
            fields.get('version', 0),
            fields.get('request', ''),
            fields.get('id', ''),
            fields.get('params') or {},
        )

    async def _answer(self, request: _Request) -> None:
        fault = self.controller.faults.take(request.name)
        kind = fault.kind if fault is not None else None
        if kind is faults.Kind.DROP_BEFORE:
            self._socket.transport.abort()
            return
        if kind is faults.Kind.HANG:
            await asyncio.Event().wait()
        answer = await self._outcome(request, fault)
        if fault is not None and kind is faults.Kind.SLOW:
            await asyncio.sleep(fault.seconds)
        if kind is faults.Kind.DROP_AFTER:
            self._socket.transport.abort()
            return
        if self.controller.shuffle and len(self._answering) > 1:
            await asyncio.sleep(self._detours.uniform(0, _LONGEST_DETOUR))
        await self._send(request, answer)

    async def _send(self, request: _Request, answer: wire.Json) -> None:
        answer = {'request-id': request.id} | answer
        if request.id == 0:
            answer = {_legacy(key): value for key, value in answer.items()}
        try:
            await self._socket.send(json.dumps(answer, separators=(',', ':')))
        except websockets.ConnectionClosed:
            logger.debug('connection lost before the answer to %s', request.name)

    async def _outcome(self, request: _Request, fault: faults.Fault | None) -> wire.Json:
        try:
            if fault is not None and fault.refusal is not None:
                raise rpc.ApiError(*fault.refusal)
            answer = self._call(request, fault)
            return {'response': await answer if inspect.isawaitable(answer) else answer}
        except model.ModelError as refusal:
            outcome: wire.Json = {'error': str(refusal), 'response': {}}
            if refusal.code:
                outcome['error-code'] = refusal.code
            if isinstance(refusal, rpc.ApiError) and refusal.info is not None:
                outcome['error-info'] = refusal.info
            return outcome
        except Exception as bug:
            logger.exception('%s failed', request.name)
            return {'error': f'internal error: {bug}', 'response': {}}

    def _call(self, request: _Request, fault: faults.Fault | None) -> rpc.Answer:
        if not isinstance(request.params, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise rpc.ApiError('json: cannot unmarshal params into a Go struct')
        if self.model_uuid not in ('', self.model.uuid):
            raise rpc.ApiError(f'unknown model: "{self.model_uuid}"', 'model not found')
        if not self.user_name:
            return login.before_login(self, request.facade, request.method, request.version,
                                      request.params, fault)  # fmt: skip
        user = self.model.users.get(self.user_name)
        if user is None:
            raise rpc.ApiError('permission denied', 'unauthorized access')
        call = rpc.Call(self, self.model, user, request.params, request.watcher_id)
        method = facades.find(
            self.model, bool(self.model_uuid), request.facade, request.version, request.method
        )
        method.check(call)
        return method.handler(call)


def _legacy(key: str) -> str:
    """Spell a key as Juju 3.6 still answers requests without an id: `RequestId`."""
    return ''.join(part.capitalize() for part in key.split('-'))
