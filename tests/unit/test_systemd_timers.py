"""The embedded systemd's timers ring as the real one's, on a clock that the test sets."""

from __future__ import annotations

import datetime
import pathlib
import shutil

import pytest

from rehearsal import clock
from rehearsal.agent import systemd, tool_server

needs_systemd = pytest.mark.skipif(
    shutil.which('systemd-analyze') is None, reason='systemd-analyze is not installed'
)
MACHINE = '3'


class Machine:
    """A machine whose timers write a line each time they ring."""

    def __init__(self, folder: pathlib.Path):
        self.clock = clock.VirtualClock(datetime.datetime(2026, 3, 28, 0, 30, tzinfo=datetime.UTC))
        self._file = folder / 'rung'
        self.systemd = systemd.Systemd(
            self.clock, lambda machine: pathlib.Path('/usr/bin'), folder, lambda machine: None
        )

    def run(self, *options: str) -> tool_server.Reply:
        command = (*options, '--', '/bin/sh', '-c', f'echo >> {self._file}')
        return self._call('systemd-run', *command)

    def ctl(self, *words: str) -> tool_server.Reply:
        return self._call('systemctl', *words)

    def _call(self, name: str, *words: str) -> tool_server.Reply:
        call = tool_server.Call(name, '', MACHINE, 0, b'', words)
        return self.systemd.answer(call)

    @property
    def rung(self) -> int:
        return len(self._file.read_text().splitlines()) if self._file.exists() else 0

    def after(self, **length: float) -> int:
        """Let time pass; return how often it has rung."""
        self.clock.advance(datetime.timedelta(**length).total_seconds())
        return self.rung


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path)


DAILY = ('--unit=nightly', '--on-calendar=*-*-* 02:30:00 UTC')
PERSISTENT = (*DAILY, '--timer-property=Persistent=true')


@needs_systemd
def test_a_calendar_timer_rings_at_each_of_its_times(machine: Machine):
    assert machine.run(*DAILY).stderr == b'Running timer as unit: nightly.timer\n'
    assert [machine.after(hours=2), machine.after(hours=24), machine.after(hours=24)] == [1, 2, 3]
    assert machine.ctl('is-active', 'nightly.timer').stdout == b'active\n'


@needs_systemd
def test_a_time_that_daylight_saving_skips_does_not_ring(machine: Machine):
    machine.run('--unit=x', '--on-calendar=*-*-* 01:30:00 Europe/London')
    assert [machine.after(days=1), machine.after(hours=23), machine.after(hours=2)] == [1, 1, 2]


@needs_systemd
@pytest.mark.parametrize(('options', 'rings'), [(DAILY, 0), (PERSISTENT, 1)])
def test_only_a_persistent_timer_makes_up_for_a_night_off(
    machine: Machine, options: tuple[str, ...], rings: int
):
    machine.run(*options)
    machine.systemd.stop_machine(MACHINE)
    assert machine.ctl('is-active', 'nightly.timer').stdout == b'inactive\n'
    assert machine.after(days=4) == 0
    machine.run(*options)
    assert machine.after(seconds=1) == rings, 'once, however many it missed'


@needs_systemd
def test_a_timer_that_was_stopped_rings_no_more(machine: Machine):
    machine.run(*DAILY)
    assert machine.run(*DAILY).code == 1, 'there is one of that name'
    assert machine.ctl('stop', 'nightly.timer').code == 0
    assert machine.after(days=3) == 0
    assert machine.run(*DAILY).code == 0


def test_a_delay_rings_once_and_is_gone(machine: Machine):
    machine.run('--unit=retry-1', '--on-active=60s')
    assert machine.after(seconds=59) == 0
    assert machine.after(seconds=2) == 1
    assert machine.after(days=1) == 1
    assert machine.ctl('is-active', 'retry-1.timer').stdout == b'inactive\n'


def test_timers_are_stopped_by_a_pattern(machine: Machine):
    for number in (1, 2):
        machine.run(f'--unit=retry-{number}', '--on-active=60s')
    assert machine.ctl('stop', '--no-block', 'retry-*.timer').code == 0
    assert machine.after(days=1) == 0
    assert machine.ctl('stop', 'retry-*.timer').code == 0, 'also if none is there'
