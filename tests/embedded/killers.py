"""What kills the processes of the coordinator's charm, at moments that a seed gives."""

from __future__ import annotations

import random
import signal

from rehearsal import model
from rehearsal.agent import child, context, tool_server
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas

_TOOLS = 12
"""Largest number of hook tools that a dispatch calls."""
_SECONDS = 1.0
"""A dispatch lasts about so long."""


class RandomKiller:
    """Kills at a random moment: at the start, at a call of a hook tool, or after a while.

    The dispatch after a kill is spared, so each one that was killed gets its second chance.
    """

    def __init__(self, running: Maas, seed: int):
        self._agent = running.running.agent
        self._clock = running.model.clock
        self._random = random.Random(seed)
        self._spare = False
        self._tools_left = 0
        self._target: child.Child | None = None
        self._agent.on_dispatch = self.dispatch
        self._agent.on_tool = self.tool

    def dispatch(self, unit: model.Unit, event: model.Event, process: child.Child) -> None:
        self._target, self._tools_left = None, 0
        if self._spare or event.task is not None:
            self._spare = False
            return
        self._target = process
        moment = self._random.choice(('start', 'tool', 'tool', 'later', 'later'))
        if moment == 'start':
            self._kill(unit, process)
        elif moment == 'tool':
            self._tools_left = self._random.randint(1, _TOOLS)
        else:
            delay = self._random.uniform(0, _SECONDS)
            self._clock.later(delay, lambda: self._kill(unit, process))

    def tool(self, run: context.Context, call: tool_server.Call) -> None:
        self._tools_left -= 1
        if self._tools_left == 0 and self._target is not None:
            self._kill(run.unit, self._target)

    def _kill(self, unit: model.Unit, process: child.Child) -> None:
        if process is self._target and unit.running is not None:
            self._target, self._spare = None, True
            self._agent.kill_running(unit)


class CheckpointKiller:
    """Kills each dispatch that writes a checkpoint, once: its effects stay, its record is lost."""

    def __init__(self, running: Maas):
        self._running = running
        self._lost: set[str] = set()
        running.running.agent.on_tool = self.tool

    def tool(self, run: context.Context, call: tool_server.Call) -> None:
        if call.name != 'relation-set' or run.event.task is not None:
            return
        before = self._running.running.peers.app_data[charmed_maas.APP].get('operation', '')
        if before not in self._lost:
            self._lost.add(before)
            self._running.running.agent.kill_running(run.unit)


def killed(running: Maas) -> int:
    """Return how many dispatches have been killed so far."""
    dispatches = running.running.agent.dispatches
    return sum(dispatch.exit_code == -signal.SIGKILL for dispatch in dispatches)
