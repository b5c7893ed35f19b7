"""What a client follows: all of the model (3.6 only), and the log of a running action."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from rehearsal import model
from rehearsal.controller import action, deltas, rpc, wire

CLIENT = rpc.Methods()
ACTION = rpc.Methods()
ALL_WATCHER = rpc.Methods()
STRINGS_WATCHER = rpc.Methods()


class Watcher:
    """Follows the model for one client; `look` returns the news, or None while there is none."""

    def __init__(self, facade: str, juju: model.Model, look: Callable[[], wire.Json | None]):
        self.facade = facade
        self._model = juju
        self._look = look
        self._stopped = False
        self._changed = asyncio.Event()
        juju.on_change.append(self._changed.set)

    async def next(self) -> wire.Json:
        """Return what is new, once there is something."""
        while not self._stopped:
            news = self._look()
            if news is not None:
                return news
            self._changed.clear()
            await self._changed.wait()
        raise rpc.ApiError('watcher was stopped', 'stopped')

    def stop(self) -> None:
        """Free the watcher; a `next` that waits fails."""
        self._stopped = True
        self._model.on_change.remove(self._changed.set)
        self._changed.set()


@CLIENT.add('WatchAll', only_in_3=True)
def _watch_all(call: rpc.Call) -> wire.Json:
    following = deltas.Following(call.model, call.session.controller.uuid)
    watcher = Watcher('AllWatcher', call.model, following.news)
    return {'watcher-id': call.session.add_watcher(watcher)}


@ACTION.add('WatchActionsProgress', access='')
def _watch_actions_progress(call: rpc.Call) -> wire.Json:
    def watch(tag: str) -> wire.Json:
        log = _LogTail(action.find(call.model, tag))
        # The first event, of what is logged already, is part of this answer.
        seen = log.news() or {'changes': []}
        watcher = Watcher('StringsWatcher', call.model, log.news)
        return {'watcher-id': call.session.add_watcher(watcher), **seen}

    results = wire.each(call.tags(), watch)
    return {'results': [{'watcher-id': ''} | result for result in results]}


class _LogTail:
    """The lines of a task's log that have not been shown. It never tells that the task ended."""

    def __init__(self, task: model.Task):
        self._task = task
        self._shown = 0

    def news(self) -> wire.Json | None:
        """Return new lines, each a JSON text of its own, as Juju has it."""
        lines = self._task.log[self._shown :]
        self._shown += len(lines)
        changes = [
            json.dumps({'message': message, 'timestamp': wire.timestamp(when)})
            for when, message in lines
        ]
        return {'changes': changes} if changes else None


def _watcher(call: rpc.Call, facade: str) -> Watcher:
    watcher = call.session.watchers.get(call.watcher_id)
    if watcher is None or watcher.facade != facade:
        raise rpc.ApiError('unknown watcher id', 'not found')
    return watcher


def _followed_as(facade: str, methods: rpc.Methods) -> None:
    """Serve Next and Stop for the watchers of a facade."""

    @methods.add('Next', access='')
    async def _next(call: rpc.Call) -> wire.Json:
        return await _watcher(call, facade).next()

    @methods.add('Stop', access='')
    def _stop(call: rpc.Call) -> wire.Json:
        _watcher(call, facade).stop()
        del call.session.watchers[call.watcher_id]
        return {}


_followed_as('AllWatcher', ALL_WATCHER)
_followed_as('StringsWatcher', STRINGS_WATCHER)
