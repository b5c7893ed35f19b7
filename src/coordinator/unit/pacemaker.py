"""Brings the next dispatch while an operation waits.

A transient systemd service outlives restarts of the unit agent, whose children die with it. Its
program waits until a beat is due (`beat`) and becomes the command that asks the agent to dispatch;
systemd starts it again when that has ended.
"""

from __future__ import annotations

import contextlib
import logging
import pathlib
import subprocess

from coordinator.unit import beat, elapsed

logger = logging.getLogger(__name__)

_SECONDS = 20


class Pacemaker:
    """The pacemaker of one unit."""

    def __init__(self, unit: str, charm_dir: str):
        self._unit = unit
        self._charm_dir = charm_dir
        self._beats = pathlib.Path(charm_dir, '.last-beat')
        self._service = f'{unit.replace("/", "-")}-pacemaker'

    def start(self, at: str) -> None:
        """See to it that the pacemaker runs; `at` tells the log for which operation.

        That it does not start stops no operation: every other hook advances it as well.
        """
        state = self._run('systemctl', 'is-active', self._service).stdout.strip()
        if state in ('active', 'activating'):
            # Between two of its starts it is `activating`.
            return
        # What has passed since the last beat of an earlier operation is no cost of a beat.
        with contextlib.suppress(OSError):
            self._beats.unlink(missing_ok=True)
        started = self._run(
            'systemd-run',
            '--collect',
            f'--unit={self._service}',
            '--property=Restart=always',
            f'--property=RestartSec={beat.RESTART}',
            # Between two starts the service is not dead, and its starts are not an accident.
            '--property=StartLimitIntervalSec=0',
            f'--description=Advances the operation of {self._unit}',
            '--',
            # Isolated mode: the program must not import the modules beside it.
            '/usr/bin/env',
            'python3',
            '-I',
            f'{self._charm_dir}/src/coordinator/unit/beat.py',
            f'{self._charm_dir}/{elapsed.FILE}',
            str(self._beats),
            'juju-exec',
            '-u',
            self._unit,
            # Without exec a shell would stay between the agent and the charm, and hide its death.
            f'JUJU_DISPATCH_PATH=hooks/advance exec {self._charm_dir}/dispatch',
        )
        if started.returncode:
            logger.warning('%s: the pacemaker did not start: %s', at, started.stderr.strip())

    def stop(self) -> None:
        """See to it that no pacemaker runs.

        It is asked for, not waited for: this very dispatch may be the pacemaker's command.
        """
        self._run('systemctl', 'stop', '--no-block', self._service)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(command, 1, '', str(error))
