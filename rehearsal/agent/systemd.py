"""`systemd-run` and `systemctl` for transient services, as far as charms use them.

The rules are those of systemd 255: restarts after RestartSec, which grows to RestartMaxDelaySec
over RestartSteps restarts; no more than StartLimitBurst starts in StartLimitIntervalSec; a clean
environment that holds nothing of whoever asked; a service that waits to be restarted is
`activating`, not active.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import fnmatch
import logging
import pathlib
import uuid
from collections.abc import Callable

from rehearsal import clock as clocks
from rehearsal.agent import child, context, environment, hook_tools, timers, tool_server

logger = logging.getLogger(__name__)

_UNITS = {'ms': 0.001, 'min': 60.0, 's': 1.0, '': 1.0}

_run_parser = hook_tools.Parser(prog='systemd-run', add_help=False, allow_abbrev=False)
_run_parser.add_argument('--collect', '-G', action='store_true')
_run_parser.add_argument('--quiet', '-q', action='store_true')
_run_parser.add_argument('--unit', '-u', default='')
_run_parser.add_argument('--description', default='')
_run_parser.add_argument('--on-active', default='')
_run_parser.add_argument('--on-calendar', default='')
_run_parser.add_argument('--timer-property', action='append', default=[])
_run_parser.add_argument('--property', '-p', action='append', default=[])
_run_parser.add_argument('--socket-property', action='append', default=[])
_run_parser.add_argument('--setenv', '-E', action='append', default=[])
_run_parser.add_argument('command', nargs=argparse.REMAINDER)

_ctl_parser = hook_tools.Parser(prog='systemctl', add_help=False, allow_abbrev=False)
_ctl_parser.add_argument('--no-block', action='store_true')
_ctl_parser.add_argument('--quiet', '-q', action='store_true')
_ctl_parser.add_argument('--signal', '-s', default='TERM')
_ctl_parser.add_argument('verb', choices=('stop', 'is-active', 'kill', 'reset-failed'))
_ctl_parser.add_argument('units', nargs='+')


def _seconds(text: str) -> float:
    number = text.rstrip('abcdefghijklmnopqrstuvwxyz')
    return float(number) * _UNITS[text[len(number) :]]


@dataclasses.dataclass
class Service:
    """A transient service of one machine."""

    name: str
    machine: str
    argv: list[str]
    properties: dict[str, str]
    restarts: int = 0
    starts: collections.deque[datetime.datetime] = dataclasses.field(
        default_factory=collections.deque[datetime.datetime]
    )
    child: child.Child | None = None
    """The main process; None while it waits to be restarted."""
    running: clocks.Running | None = None

    @property
    def state(self) -> str:
        return 'active' if self.child is not None else 'activating'

    def restart_delay(self) -> float:
        """Return the seconds before the restart that is due now."""
        first = _seconds(self.properties.get('RestartSec', '100ms'))
        last = _seconds(self.properties.get('RestartMaxDelaySec', '0'))
        steps = int(self.properties.get('RestartSteps', '0'))
        if not steps or last <= first or self.restarts <= 1:
            return first
        if self.restarts > steps:
            return last
        return first * (last / first) ** ((self.restarts - 1) / steps)

    def may_start(self, now: datetime.datetime) -> bool:
        """Whether the start limit allows another start; if so, count it."""
        interval = _seconds(self.properties.get('StartLimitIntervalSec', '10s'))
        while self.starts and (now - self.starts[0]).total_seconds() > interval:
            self.starts.popleft()
        if interval and len(self.starts) >= int(self.properties.get('StartLimitBurst', '5')):
            return False
        self.starts.append(now)
        return True


class Systemd:
    """The service managers of all the machines on which an application has units."""

    def __init__(
        self,
        clock: clocks.Clock,
        bin_dir: Callable[[str], pathlib.Path],
        logs: pathlib.Path,
        kill_agent: Callable[[str], object],
    ):
        self._clock = clock
        self._bin_dir = bin_dir
        self._logs = logs
        self._kill_agent = kill_agent
        """Kills the agent of a machine; systemd starts it again."""
        self.services: dict[tuple[str, str], Service] = {}
        """By machine and name (`x.service`)."""
        self.timers: dict[tuple[str, str], timers.Timer] = {}
        """By machine and name (`x.timer`)."""
        self._stamps = timers.Stamps()
        self.sockets: dict[tuple[str, str], list[str]] = {}
        """Command of the service of each socket, by machine and name (`x.socket`). All machines
        are this one, so nothing listens: nobody connects."""

    def answer(self, call: tool_server.Call) -> tool_server.Reply:
        """Answer a call of `systemd-run` or `systemctl`."""
        try:
            if call.name == 'systemd-run':
                return self._run(call.machine, _run_parser.parse_args(call.arguments))
            return self._control(call.machine, _ctl_parser.parse_args(call.arguments))
        except context.ToolError as error:
            return tool_server.Reply(1, stderr=f'{error}\n'.encode())

    def stop(self, service: Service) -> None:
        """SIGTERM the service and forget it."""
        self.services.pop((service.machine, service.name), None)
        if service.running is not None:
            service.running.stop()
        if service.child is not None:
            service.child.terminate_group()

    def stop_machine(self, machine: str) -> None:
        """Stop what a machine runs, as it goes away."""
        for service in tuple(self.services.values()):
            if service.machine == machine:
                self.stop(service)
        for where in tuple(self.timers):
            if where[0] == machine:
                self.timers.pop(where).running.stop()
        for where in tuple(self.sockets):
            if where[0] == machine:
                del self.sockets[where]

    def _run(self, machine: str, options: argparse.Namespace) -> tool_server.Reply:
        name = _full_name(options.unit or f'run-r{uuid.uuid4().hex}')
        if (machine, name) in self.services:
            raise context.ToolError(
                f'Failed to start transient service unit: Unit {name} was already loaded '
                'or has a fragment file.'
            )
        argv = options.command[1:] if options.command[:1] == ['--'] else options.command
        if options.socket_property:
            return self._listen(machine, f'{options.unit}.socket', argv)
        properties = hook_tools.key_values(options.property)
        service = Service(name, machine, argv, properties)
        if options.on_active or options.on_calendar:
            return self._set_timer(service, options)
        self._start(service)
        return tool_server.Reply(stderr=f'Running as unit: {name}\n'.encode())

    def _start(self, service: Service) -> None:
        self.services[service.machine, service.name] = service
        # The work runs up to its first wait here, and may end there.
        running = clocks.Running(
            self._clock, self._life(service), lambda error: self._ended(service, error)
        )
        service.running = running

    def _set_timer(self, service: Service, options: argparse.Namespace) -> tool_server.Reply:
        name = f'{service.name.removesuffix(".service")}.timer'
        where = service.machine, name
        if where in self.timers:
            raise context.ToolError(
                f'Failed to start transient timer unit: Unit {name} was already loaded '
                'or has a fragment file.'
            )
        delay = _seconds(options.on_active) if options.on_active else 0.0
        properties = hook_tools.key_values(options.timer_property)
        persistent = properties.get('Persistent') == 'true'
        rings = self._stamps.rings(where, self._clock, options.on_calendar, delay, persistent)

        def life() -> clocks.Work:
            for wait in rings:
                yield wait
                # A service that still runs is not started a second time.
                if (service.machine, service.name) not in self.services:
                    self._start(dataclasses.replace(service))

        running = clocks.Running(self._clock, life(), lambda error: self._rang_last(where, error))
        self.timers[where] = timers.Timer(running)
        return tool_server.Reply(stderr=f'Running timer as unit: {name}\n'.encode())

    def _rang_last(self, where: tuple[str, str], error: BaseException | None) -> None:
        self.timers.pop(where, None)
        if error is not None:
            logger.error('%s', where[1], exc_info=error)

    def _listen(self, machine: str, name: str, argv: list[str]) -> tool_server.Reply:
        if (machine, name) in self.sockets:
            raise context.ToolError(
                f'Failed to start transient socket unit: Unit {name} was already loaded '
                'or has a fragment file.'
            )
        self.sockets[machine, name] = argv
        return tool_server.Reply(stderr=f'Running as unit: {name}\n'.encode())

    def _control(self, machine: str, options: argparse.Namespace) -> tool_server.Reply:
        if options.verb == 'kill':
            return self._kill(machine, options)
        if options.verb == 'reset-failed':
            # Nothing here fails and stays.
            return tool_server.Reply()
        names = [_full_name(unit) for unit in options.units]
        if options.verb == 'is-active':
            service = self.services.get((machine, names[0]))
            timer = 'active' if (machine, names[0]) in self.timers else 'inactive'
            state = service.state if service is not None else timer
            return tool_server.Reply(0 if state == 'active' else 3, f'{state}\n'.encode())
        missing = [
            name for name in names if not self._stop_unit(machine, name) and '*' not in name
        ]
        said = ''.join(f'Failed to stop {name}: Unit {name} not loaded.\n' for name in missing)
        return tool_server.Reply(5 if missing else 0, stderr=said.encode())

    def _stop_unit(self, machine: str, name: str) -> bool:
        """Stop a unit; False if it is not loaded."""
        service = self.services.get((machine, name))
        if service is not None:
            self.stop(service)
            return True
        matching = [
            where
            for where in self.timers
            if where[0] == machine and fnmatch.fnmatchcase(where[1], name)
        ]
        for where in matching:
            self.timers.pop(where).running.stop()
        if matching:
            return True
        return self.sockets.pop((machine, name), None) is not None

    def _kill(self, machine: str, options: argparse.Namespace) -> tool_server.Reply:
        if not options.units[0].startswith('jujud-'):
            raise context.ToolError(f'only an agent can be killed here, not {options.units[0]}')
        self._kill_agent(machine)
        return tool_server.Reply()

    def _life(self, service: Service) -> clocks.Work:
        """Start the service's process again and again, as its Restart= says."""
        restart = service.properties.get('Restart', 'no')
        while service.may_start(self._clock.now()):
            service.child = child.Child(
                service.argv, self._environment(service), pathlib.Path('/')
            )
            ended: child.Ended = yield service.child.wait
            service.child = None
            self._log(service, ended)
            if restart == 'no' or (restart == 'on-failure' and ended.exit_code == 0):
                return
            service.restarts += 1
            yield service.restart_delay()
        logger.warning('%s: start request repeated too quickly', service.name)

    def _ended(self, service: Service, error: BaseException | None) -> None:
        self.services.pop((service.machine, service.name), None)
        if error is not None:
            logger.error('%s', service.name, exc_info=error)

    def _environment(self, service: Service) -> dict[str, str]:
        return {
            'INVOCATION_ID': uuid.uuid4().hex,
            'LANG': 'C.UTF-8',
            'PATH': f'{self._bin_dir(service.machine)}:{environment.SYSTEM_PATH}',
        }

    def _log(self, service: Service, ended: child.Ended) -> None:
        """Append what the process said to the machine's journal."""
        text = (ended.stdout + ended.stderr).decode(errors='replace')
        with (self._logs / f'machine-{service.machine}.log').open('a') as journal:
            for line in text.splitlines():
                journal.write(f'{self._clock.now():%Y-%m-%d %H:%M:%S} {service.name}: {line}\n')


def _full_name(unit: str) -> str:
    return unit if unit.endswith(('.service', '.socket', '.timer')) else f'{unit}.service'
