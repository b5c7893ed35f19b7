"""The exporter as systemd starts it: a program, and its descriptor 3 is a socket that listens."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import subprocess
import sys
from collections.abc import Generator

SOURCE = pathlib.Path(__file__).resolve().parents[1] / 'src'
_BECOME = 'import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])'


def listening() -> socket.socket:
    """Return a socket that listens on loopback."""
    made = socket.socket()
    made.bind(('127.0.0.1', 0))
    made.listen()
    return made


@contextlib.contextmanager
def activated(note: pathlib.Path) -> Generator[int]:
    """Have systemd's own program listen, and start the exporter when somebody connects."""
    with listening() as free:
        port = free.getsockname()[1]
    program = subprocess.Popen(
        [
            'systemd-socket-activate',
            f'--listen=127.0.0.1:{port}',
            f'--setenv=PYTHONPATH={SOURCE}',
            sys.executable,
            '-m',
            'coordinator.observed.exporter',
            str(note),
        ],
        stderr=subprocess.PIPE,
    )
    try:
        assert program.stderr is not None
        # It says so as soon as it listens.
        assert b'Listening on' in program.stderr.readline()
        yield port
    finally:
        program.kill()
        program.communicate()


@contextlib.contextmanager
def running(note: pathlib.Path) -> Generator[int]:
    """Serve the metrics of a note in here; gives the port."""
    with listening() as opened:
        module = [sys.executable, '-m', 'coordinator.observed.exporter', str(note)]
        program = subprocess.Popen(
            [sys.executable, '-c', _BECOME, str(opened.fileno()), *module],
            env={'PYTHONPATH': str(SOURCE)},
            pass_fds=[opened.fileno()],
        )
        try:
            yield opened.getsockname()[1]
        finally:
            program.kill()
            program.wait()
