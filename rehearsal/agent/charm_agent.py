"""The unit agent: runs a real charm's code for each event of its units, as Juju's agent does."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import sys
from collections.abc import Callable, Iterable

from rehearsal import clock as clocks
from rehearsal import model
from rehearsal.agent import (
    action_tools,
    charm_files,
    child,
    context,
    environment,
    hook_tools,
    juju_exec,
    outcome,
    relation_tools,
    secret_tools,
    systemd,
    tool_server,
    unit_tools,
)
from rehearsal.agent import home as homes

TOOLS = relation_tools.TOOLS | secret_tools.TOOLS | action_tools.TOOLS | unit_tools.TOOLS
MACHINE_PROGRAMS = ('juju-exec', 'systemctl', 'systemd-run')
_UPGRADE = 'upgrade-charm'
_INSTALLING = 'installing charm software'
_LOST = 'agent is not communicating with the server'
_STOP_SECONDS = 5.0
"""How long a terminated dispatch may go on before its group is killed."""


@dataclasses.dataclass(frozen=True)
class Dispatch:
    """One run of the charm, measured."""

    unit: str
    kind: model.Kind
    event: str
    """Name of the hook or action, or the command of juju-exec."""
    started: datetime.datetime
    ended: datetime.datetime
    cpu_seconds: float
    """Of the charm and the hook tools it called."""
    max_rss_bytes: int
    """Peak memory of the charm's process."""
    exit_code: int

    @property
    def seconds(self) -> float:
        return (self.ended - self.started).total_seconds()


class CharmAgent:
    """The agents of all units of one application that is deployed from a charm's source tree.

    Lives on the model's event loop: `start` before the application is deployed, `stop` at the end.
    """

    def __init__(
        self,
        juju: model.Model,
        charm_dir: pathlib.Path,
        root: pathlib.Path,
        controller: homes.Controller,
        python: str = sys.executable,
    ):
        self.charm = charm_files.read_charm(charm_dir)
        self.dispatches: list[Dispatch] = []
        self.on_dispatch: Callable[[model.Unit, model.Event, child.Child], object] | None = None
        """Called when a dispatch's process has started; may kill it."""
        self.on_tool: Callable[[context.Context, tool_server.Call], object] | None = None
        """Called when a dispatch calls a hook tool, before that is carried out."""
        self._model = juju
        self._source = charm_dir
        self._root = root
        self._logs = root / 'logs'
        self._controller = controller
        self._python = python
        self._homes: dict[str, homes.Home] = {}
        self._runs: dict[str, context.Context] = {}
        self._children: dict[str, child.Child] = {}
        self._leaving: dict[str, child.Child] = {}
        self._server = tool_server.ToolServer(self._answer)
        self.systemd = systemd.Systemd(juju.clock, self._bin_dir, self._logs, self._restart)

    async def start(self) -> None:
        """Get ready to run units."""
        self._logs.mkdir(parents=True, exist_ok=True)
        await self._server.start()

    async def stop(self) -> None:
        """Kill everything that runs and serve no more; the directories stay."""
        for unit in self._model.units.values():
            if unit.application.agent is self:
                # The model gives nothing to run to a unit whose agent is lost.
                self._model.set_agent_status(unit, 'lost', _LOST)
        for service in tuple(self.systemd.services.values()):
            self.systemd.stop(service)
        for running in self._children.values():
            running.kill_group()
        self._server.stop()

    def refresh(self, charm_dir: pathlib.Path) -> None:
        """Give the units another revision of the charm, as `juju refresh --path` does.

        Each takes it when its turn comes, between two other runs: then nothing runs the old one.
        """
        self.charm, self._source = charm_files.read_charm(charm_dir), charm_dir
        for unit in self._model.units.values():
            if unit.application.agent is self:
                unit.application.charm = self.charm
                for name in (_UPGRADE, 'config-changed'):
                    self._model.queue(unit, model.Event(model.Kind.HOOK, name))

    def set_controller(self, controller: homes.Controller) -> None:
        """Let the units know of other controller addresses or another CA."""
        self._controller = controller
        for name, home in self._homes.items():
            home.write_agent_conf(self._model.unit(name), self._model.uuid, controller)

    # --- What the model asks of an agent ---------------------------------------------------

    def run(self, unit: model.Unit, event: model.Event) -> clocks.Work:
        """Run one event in a process of its own and commit what it wrote."""
        home = self._home(unit)
        leaving = self._leaving.pop(unit.name, None)
        if leaving is not None:
            yield lambda: leaving.wait_until_gone(_STOP_SECONDS)
        commands = event.kind is model.Kind.EXEC or event.name in model.COMMANDS
        if event.task is not None and not commands and event.name not in self.charm.actions:
            raise model.ActionFailed(f'action not implemented on unit "{unit.name}"')
        if event.name == 'install' and not event.failures:
            self._model.set_status(unit, 'maintenance', _INSTALLING)
        if event.name == _UPGRADE:
            home.unpack(self._source, self._python)
        run = context.Context(self._model, unit, event, home)
        started = self._model.clock.now()
        process = child.Child(
            self._argv(run),
            environment.of(
                run, self._controller, self._server.address, self._bin_dir(unit.machine.id)
            ),
            home.charm_dir,
        )
        self._runs[run.id] = run
        self._children[unit.name] = process
        try:
            if self.on_dispatch is not None:
                self.on_dispatch(unit, event, process)
            ended: child.Ended = yield lambda: process.wait(commands)
        finally:
            # From here on a process that outlives its run can call no hook tool.
            del self._runs[run.id]
            if self._children.get(unit.name) is process:
                del self._children[unit.name]
        self._measure(run, started, ended)
        outcome.settle(run, ended)
        if event.name == 'start' and unit.workload.message == _INSTALLING:
            self._model.set_status(unit, 'unknown')

    def kill(self, unit: model.Unit) -> None:
        """End what runs: a cancelled action by SIGKILL, else as an agent that is restarted.

        The restart of an agent terminates everything it has started. Cancelling kills the
        direct child alone.
        """
        process = self._children.pop(unit.name, None)
        if process is None:
            return
        event = unit.running
        if event is not None and event.task is not None and event.task.status == 'aborting':
            process.kill()
        else:
            process.terminate_group()
            self._leaving[unit.name] = process

    def removed(self, unit: model.Unit) -> None:
        """Remove the unit's directory; a machine without units goes, with all that it runs."""
        home = self._homes.pop(unit.name, None)
        if home is not None:
            home.remove()
        if unit.machine.life != 'alive':
            self.systemd.stop_machine(unit.machine.id)

    # --- Faults ------------------------------------------------------------------------------

    def kill_running(self, unit: model.Unit) -> None:
        """SIGKILL what the unit runs now, with everything that it started."""
        if unit.name in self._children:
            self._children[unit.name].kill_group()

    def _restart(self, machine: str) -> None:
        """Restart the agent of a machine, as systemd does when it was killed."""
        for unit in self._model.units.values():
            if unit.machine.id == machine:
                self._model.restart_agent(unit.name)

    def pause_running(self, unit: model.Unit) -> Callable[[], None]:
        """SIGSTOP what the unit runs now; return what lets it go on."""
        process = self._children[unit.name]
        process.pause_group()
        return process.resume_group

    def interpret(self, unit: model.Unit, *command: str) -> None:
        """Have a unit's charm run by another command than plain Python; none: by that again."""
        self._home(unit).write_dispatch(command or (self._python,))

    # --- One run -----------------------------------------------------------------------------

    def _argv(self, run: context.Context) -> list[str]:
        if run.event.kind is model.Kind.EXEC:
            return ['/bin/bash', '-c', run.event.name]
        if run.event.task is not None and run.event.name in model.COMMANDS:
            return ['/bin/bash', '-c', str(run.event.task.parameters['command'])]
        return [str(run.home.charm_dir / 'dispatch')]

    def _measure(
        self, run: context.Context, started: datetime.datetime, ended: child.Ended
    ) -> None:
        dispatch = Dispatch(
            unit=run.unit.name,
            kind=run.event.kind,
            event=run.event.name,
            started=started,
            ended=self._model.clock.now(),
            cpu_seconds=ended.cpu_seconds,
            # The kernel's figure includes what the rehearsal's own process had at the start.
            max_rss_bytes=run.peak_rss_bytes or ended.max_rss_bytes,
            exit_code=ended.exit_code,
        )
        self.dispatches.append(dispatch)

    # --- What the charm's programs ask -------------------------------------------------------

    async def _answer(self, call: tool_server.Call) -> tool_server.Reply:
        if call.name == 'juju-exec':
            return await juju_exec.answer(self._model, self, call)
        if call.name in MACHINE_PROGRAMS:
            return self.systemd.answer(call)
        run = self._runs.get(call.context_id)
        if run is None:
            return tool_server.failure(f'bad request: unknown context "{call.context_id}"')
        if self.on_tool is not None:
            self.on_tool(run, call)
        run.peak_rss_bytes = max(run.peak_rss_bytes, _peak_rss_bytes(call.caller))
        return hook_tools.answer(TOOLS, run, call)

    # --- Directories -------------------------------------------------------------------------

    def _home(self, unit: model.Unit) -> homes.Home:
        """Return the unit's home, which is made for its first event."""
        if unit.name not in self._homes:
            home = homes.Home(self._root / 'agents' / unit.tag, self._logs / f'{unit.tag}.log')
            home.unpack(self._source, self._python)
            home.write_agent_conf(unit, self._model.uuid, self._controller)
            self._write_programs(home.tools_dir, TOOLS, unit.machine.id)
            self._write_programs(self._bin_dir(unit.machine.id), MACHINE_PROGRAMS, unit.machine.id)
            self._homes[unit.name] = home
        return self._homes[unit.name]

    def _write_programs(self, directory: pathlib.Path, names: Iterable[str], machine: str) -> None:
        programs = {name: self._server.program(name, machine) for name in names}
        homes.write_programs(directory, programs)

    def _bin_dir(self, machine: str) -> pathlib.Path:
        return self._root / 'machines' / machine / 'bin'


def _peak_rss_bytes(pid: int) -> int:
    """Return the peak memory of a process so far; 0 where /proc does not tell."""
    try:
        status = pathlib.Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return 0
    peak = next((line for line in status.splitlines() if line.startswith('VmHWM:')), 'VmHWM: 0 kB')
    return int(peak.split()[1]) * 1024
