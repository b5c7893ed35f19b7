"""kill -9 of the charm's process at any moment: the operation goes on, and does nothing twice."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

from rehearsal import model, site, story
from rehearsal.agent import child, context, tool_server
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas

_TOOLS = 12
"""A dispatch calls at most so many hook tools."""
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
        self._agent.on_dispatch = self._dispatch
        self._agent.on_tool = self._tool

    def _dispatch(self, unit: model.Unit, event: model.Event, process: child.Child) -> None:
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

    def _tool(self, run: context.Context, call: tool_server.Call) -> None:
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
        running.running.agent.on_tool = self._tool

    def _tool(self, run: context.Context, call: tool_server.Call) -> None:
        if call.name != 'relation-set' or run.event.task is not None:
            return
        before = self._running.running.peers.app_data[charmed_maas.APP]['operation']
        if before not in self._lost:
            self._lost.add(before)
            self._running.running.agent.kill_running(run.unit)


def killed(running: Maas) -> int:
    """Return how many dispatches have been killed so far."""
    dispatches = running.running.agent.dispatches
    return sum(dispatch.exit_code == -signal.SIGKILL for dispatch in dispatches)


def backed_up_once(running: Maas, kill: Callable[[], object]) -> int:
    """Back up while dispatches are killed, and see that nothing was done twice.

    Returns:
        How many dispatches were killed.
    """
    sets, tasks, before = running.sets(), len(running.backup_tasks()), killed(running)
    added = running.model.application(site.POSTGRESQL).next_unit
    running.begin()

    kill()
    op = running.until_ended()

    assert (op['status'], op['error'], op['problems']) == ('complete', '', [])
    new = [running.model.tasks[number] for number in running.backup_tasks()[tasks:]]
    assert [task.unit.partition('/')[0] for task in new] == [site.POSTGRESQL, site.MAAS]
    assert running.sets() == [*sets, op['id']]
    assert running.model.application(site.POSTGRESQL).next_unit == added + 2
    assert story.units_back(running.running) == ''
    assert story.no_storage_left(running.running) == ''
    assert running.pacemakers() == []
    return killed(running) - before


def test_a_charm_that_is_killed_at_random_moments_backs_up_once(maas36: Maas):
    assert backed_up_once(maas36, lambda: RandomKiller(maas36, seed=1)) > 10


def test_a_charm_that_loses_every_checkpoint_once_backs_up_once(maas40: Maas):
    assert backed_up_once(maas40, lambda: CheckpointKiller(maas40)) > 10


def test_a_request_that_is_killed_has_begun_nothing(maas36: Maas):
    def kill(unit: model.Unit, event: model.Event, process: child.Child) -> None:
        if event.name == 'backup-all':
            maas36.running.agent.on_tool = lambda run, call: (
                maas36.running.agent.kill_running(unit) if call.name == 'relation-set' else None
            )

    maas36.running.agent.on_dispatch = kill
    task = maas36.running.run_action(charmed_maas.LEADER, 'backup-all')

    assert (task.status, task.message) == ('failed', 'terminated')
    maas36.settle()
    assert maas36.running.operation() == {}
    assert maas36.pacemakers() == []
