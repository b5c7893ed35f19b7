"""A model with the toy charm deployed, and the toy's machine to run programs on."""

from __future__ import annotations

import pathlib
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

from rehearsal import clock as clocks
from rehearsal import hosted, model
from rehearsal.agent import charm_agent, home

TOY = pathlib.Path(__file__).parent / 'toy_charm'
CONTROLLER = home.Controller(ca_cert='-----CA-----\n', addresses=('10.8.0.1:17070',))
_T = TypeVar('_T')


class Site:
    """The toy charm in a separate model, whose thread it ends."""

    def __init__(self, root: pathlib.Path, units: int = 1, version: str = '3.6.26'):
        self.root = root
        self._units = units
        self._host = hosted.LoopThread()
        self.model = model.Model('toys', clocks.LoopClock(self._host.loop), version)
        self.agent = charm_agent.CharmAgent(self.model, TOY, root, CONTROLLER)
        self._stirred = threading.Event()

    def __enter__(self) -> Self:
        self._host.start()
        self._host.run(self.agent.start())
        self.model.on_change.append(self._stirred.set)
        self.model.idle_after = 0.0
        self.call(lambda: self.model.deploy('toy', self.agent.charm, self.agent, self._units))
        self.until(self._settled, 'all units are installed and idle', seconds=60)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._host.run(self.agent.stop())
        self._host.stop()

    def _settled(self) -> bool:
        return all(
            unit.installed and not unit.queue and unit.running is None
            for unit in self.model.units.values()
        )

    def call(self, fn: Callable[[], _T]) -> _T:
        """Look at or change the model, on its thread."""
        return self._host.call(fn)

    def until(self, condition: Callable[[], _T], what: str, seconds: float = 20) -> _T:
        """Return what the condition returns, once that is true."""
        deadline = time.monotonic() + seconds
        while True:
            self._stirred.clear()
            value = self.call(condition)
            if value:
                return value
            assert time.monotonic() < deadline, f'waited {seconds} s in vain until {what}'
            # Not everything that a test waits for changes the model: look again soon.
            self._stirred.wait(0.05)

    def reset(self) -> None:
        """End what runs and clear the databag and the config, for the next test."""
        self.agent.on_dispatch = self.agent.on_tool = None
        for service in tuple(self.agent.systemd.services.values()):
            self.call(lambda service=service: self.agent.systemd.stop(service))
        for task in tuple(self.model.tasks.values()):
            self.call(lambda task=task: self.model.cancel(task))
        self.settle()
        self.call(lambda: self.model.relations[0].app_data['toy'].clear())
        self.call(self.model.secrets.clear)
        self.call(lambda: self.model.set_leader('toy/0'))
        self.call(lambda: self.model.reset_config('toy', ['greeting']))
        self.settle()
        self.agent.dispatches.clear()

    @property
    def bag(self) -> dict[str, str]:
        """The toy's application databag in its peer relation, as committed."""
        peers = self.model.relations[0]
        return self.call(lambda: dict(peers.app_data['toy']))

    def begin(self, name: str, unit: str = 'toy/0', **parameters: str) -> model.Task:
        """Enqueue an action."""
        calls = [(unit, name, parameters, False, '')]
        return self.call(lambda: self.model.enqueue(calls)).tasks[0]

    def action(self, name: str, unit: str = 'toy/0', **parameters: str) -> model.Task:
        """Run an action to its end."""
        task = self.begin(name, unit, **parameters)
        self.until(lambda: task.ended, f'{name} has ended')
        return task

    def settle(self) -> None:
        """Wait until no unit has anything left to do."""
        self.until(self._settled, 'all units are idle')

    def program(self, *argv: str, machine: str = '0') -> subprocess.CompletedProcess[str]:
        """Run a program as root would on a machine, outside any hook."""
        directory = self.root / 'machines' / machine / 'bin'
        return subprocess.run(
            [str(directory / argv[0]), *argv[1:]],
            env={'PATH': '/usr/bin:/bin'},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    @property
    def advance(self) -> str:
        """The command line that dispatches the toy's own event."""
        dispatch = self.root / 'agents' / 'unit-toy-0' / 'charm' / 'dispatch'
        return f'JUJU_DISPATCH_PATH=hooks/advance exec {dispatch}'

    def log(self, unit: str = 'toy/0') -> str:
        """What the unit has logged."""
        return (self.root / 'logs' / f'unit-{unit.replace("/", "-")}.log').read_text()
