"""Wakes this unit when a run is due.

Each schedule has a transient systemd timer, whose service asks the unit's agent to dispatch. The
timer only brings the dispatch: whether a run is due is decided by what the peer relation keeps, so
a timer that was lost in a reboot, or rang twice, neither loses a run nor begins two.
"""

from __future__ import annotations

import contextlib
import json
import logging
import pathlib
import subprocess
from collections.abc import Mapping

logger = logging.getLogger(__name__)

_SECONDS = 20
_OF_CALENDARS = (
    '--timer-property=Persistent=true',
    # Sites that share an S3 server do not all begin in the same second.
    '--timer-property=RandomizedDelaySec=3min',
)
_FILE = '.timers'
_STAMPS = pathlib.Path('/var/lib/systemd/timers')
"""Where systemd remembers when a persistent timer rang last."""


class Timers:
    """The timers of one unit."""

    def __init__(self, unit: str, charm_dir: str, stamps: pathlib.Path = _STAMPS):
        self._unit = unit
        self._charm_dir = charm_dir
        self._stamps = stamps
        self._file = pathlib.Path(charm_dir, _FILE)

    def set(self, calendars: Mapping[str, str], *, look: bool) -> None:
        """See to it that there is a timer for each schedule, and no other.

        Args:
            calendars: by kind of operation, as systemd writes it.
            look: ask systemd whether the timers run, as those of before a reboot do not.
        """
        before, running = self._known(), dict[str, str]()
        for kind in before.keys() - calendars.keys():
            self._remove(kind)
        for kind, calendar in calendars.items():
            same = before.get(kind) == calendar and (not look or self._runs(kind))
            # This very dispatch may be its service, whose name is taken until it ends: then the
            # next dispatch starts it.
            if same or self._replaced(kind, f'--on-calendar={calendar}', *_OF_CALENDARS):
                running[kind] = calendar
        self._note(running)

    def _replaced(self, kind: str, when: str, *properties: str) -> bool:
        self._run('systemctl', 'stop', f'{self._name(kind)}.timer')
        return self._start(kind, when, *properties)

    def ring_in(self, seconds: int, kind: str, number: int) -> None:
        """Have the unit dispatch once more after a while, for a start that is tried again.

        Args:
            seconds: until then.
            kind: of operation.
            number: of the attempt: the service of the last one may be what dispatches now.
        """
        self._replaced(f'retry-{kind}-{number}', f'--on-active={seconds}s')

    def remove(self) -> None:
        """Leave no timer behind on a machine that others use."""
        for kind in self._known():
            self._remove(kind)
        # A schedule that is over has no timer, and its last run may still be tried again.
        self._run('systemctl', 'stop', '--no-block', f'{self._name("retry-")}*.timer')
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _start(self, kind: str, when: str, *properties: str) -> bool:
        started = self._run(
            'systemd-run',
            '--collect',
            f'--unit={self._name(kind)}',
            when,
            *properties,
            f'--description=Wakes {self._unit} for its schedule',
            '--',
            'juju-exec',
            '-u',
            self._unit,
            f'JUJU_DISPATCH_PATH=hooks/due exec {self._charm_dir}/dispatch',
        )
        if started.returncode:
            # Every other hook looks for runs that are due as well.
            logger.warning('the timer of %s did not start: %s', kind, started.stderr.strip())
        return not started.returncode

    def _remove(self, kind: str) -> None:
        name = f'{self._name(kind)}.timer'
        self._run('systemctl', 'stop', '--no-block', name)
        with contextlib.suppress(OSError):
            (self._stamps / f'stamp-{name}').unlink(missing_ok=True)

    def _runs(self, kind: str) -> bool:
        answer = self._run('systemctl', 'is-active', f'{self._name(kind)}.timer')
        return answer.stdout.strip() == 'active'

    def _name(self, kind: str) -> str:
        return f'{self._unit.replace("/", "-")}-{kind}'

    def _known(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (OSError, TypeError, ValueError):
            return {}

    def _note(self, calendars: Mapping[str, str]) -> None:
        if calendars or self._file.exists():
            with contextlib.suppress(OSError):
                self._file.write_text(json.dumps(dict(calendars)))

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(command, 1, '', str(error))
