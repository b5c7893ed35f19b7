"""`python -m rehearsal watch`: shows the operation under way live, as show-operation tells it."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from rehearsal import embedded

_EVERY = 1.0
"""Seconds between two looks."""
_CLEAR = '\x1b[H\x1b[2J'


def watch(
    juju: pathlib.Path, out: TextIO = sys.stdout, pause: Callable[[float], object] | None = None
) -> int:
    """Show the operation until it is over or held; return the exit code.

    On a terminal each look replaces the last one. Elsewhere a look is shown if it differs.

    Args:
        juju: the rehearsal's own `juju`.
        out: where to show it.
        pause: waits some seconds between two looks.
    """
    wait = pause or threading.Event().wait
    shown = ''
    while True:
        text, status = _look(juju)
        if out.isatty():
            out.write(f'{_CLEAR}{text}\n')
        elif text != shown:
            out.write(f'{text}\n\n')
        out.flush()
        shown = text
        if status != 'open':
            return 0 if status == 'complete' else 1
        wait(_EVERY)


def _look(juju: pathlib.Path) -> tuple[str, str]:
    """Return what show-operation says to people, and the operation's status."""
    raw = _run(juju, 'format=json')
    if not raw:
        return 'no operation has run yet: juju run maas-backup-coordinator/leader backup-all', ''
    return _run(juju), json.loads(raw)['status']


def _run(juju: pathlib.Path, *parameters: str) -> str:
    """Return the result of show-operation; '' if it fails."""
    command = [juju, 'run', '--format', 'json', f'{embedded.APP}/leader', 'show-operation']
    ran = subprocess.run([*command, *parameters], capture_output=True, text=True, check=False)
    try:
        (task,) = json.loads(ran.stdout).values()
        results: dict[str, Any] = task['results']
        return str(results['operation'])
    except (ValueError, LookupError, AttributeError):
        return ''
