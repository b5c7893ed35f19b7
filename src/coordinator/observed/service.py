"""Has systemd listen where metrics are scraped, and start the exporter when somebody connects.

A transient socket outlives restarts of the unit agent, and is gone after a reboot: the hooks that
follow one make it again.
"""

from __future__ import annotations

import logging
import os
import pathlib
import subprocess
import sys

logger = logging.getLogger(__name__)

HOST = '127.0.0.1'
_SECONDS = 20


class Service:
    """The exporter of one unit."""

    def __init__(self, unit: str, note: pathlib.Path):
        """Name it.

        Args:
            unit: name of the unit.
            note: the file that the exporter reads.
        """
        self._name = f'{unit.replace("/", "-")}-metrics'
        self._note = note

    def start(self, port: int) -> None:
        """Listen on a port of this machine, with the code and the settings of now.

        That it cannot is no reason to fail a hook: an alert tells that nothing is scraped.
        """
        self.stop()
        started = self._run(
            'systemd-run',
            '--collect',
            f'--unit={self._name}',
            f'--socket-property=ListenStream={HOST}:{port}',
            # Whatever it is asked, it can read nothing that is not public on this machine.
            '--property=User=nobody',
            '--property=NoNewPrivileges=yes',
            f'--description=Metrics of {self._name.removesuffix("-metrics")}',
            f'--setenv=PYTHONPATH={os.pathsep.join(filter(None, sys.path))}',
            # `nobody` can write no caches.
            '--setenv=PYTHONDONTWRITEBYTECODE=1',
            '--',
            sys.executable,
            '-m',
            'coordinator.observed.exporter',
            str(self._note),
        )
        if started.returncode:
            logger.warning(
                'metrics cannot be scraped at %s:%s: %s', HOST, port, started.stderr.strip()
            )

    def stop(self) -> None:
        """Listen no more."""
        names = [f'{self._name}.socket', f'{self._name}.service']
        self._run('systemctl', 'stop', *names)
        # What has failed keeps its name, and could not be made again.
        self._run('systemctl', 'reset-failed', *names)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(command, 1, '', str(error))
