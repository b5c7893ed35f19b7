"""A packed charm starts where nothing but Python is: no package, no HOME, no event for it."""

from __future__ import annotations

import pathlib
import subprocess

_TOOLS = (
    'application-version-set', 'config-get', 'goal-state', 'is-leader', 'juju-log', 'relation-get',
    'relation-ids', 'relation-list', 'state-get', 'state-set', 'status-get', 'status-set',
)  # fmt: skip
_TOOL = """\
#!/bin/sh
case "${0##*/}" in
    relation-ids) echo '[]' ;;
    is-leader) echo false ;;
    juju-log) echo "$@" >&2 ;;
    *) echo '{}' ;;
esac
"""
"""Answers as Juju does on a unit that has no relation and no option set."""
_SECONDS = 60


def problem(unpacked: pathlib.Path, scratch: pathlib.Path, python: str) -> str:
    """Run a charm's `dispatch` for an event that it does not know.

    Args:
        unpacked: the charm.
        scratch: an empty folder, for the hook tools.
        python: the program that the charm's packages were chosen for.

    Returns:
        What the charm said when it failed; '' if it started.
    """
    for name in _TOOLS:
        (scratch / name).write_text(_TOOL)
        (scratch / name).chmod(0o755)
    # The charm finds `python3` on PATH. It must be the interpreter itself, which knows by its own
    # path what virtual environment it is in: a wrapper of a version manager would hide that.
    (scratch / 'python3').symlink_to(_interpreter(python))
    dispatch = unpacked / 'dispatch'
    # Archives that zipfile unpacks lose their modes.
    dispatch.chmod(0o755)
    environment = {
        'JUJU_CHARM_DIR': str(unpacked),
        'JUJU_DISPATCH_PATH': 'hooks/trial',
        'JUJU_MODEL_NAME': 'trial',
        'JUJU_MODEL_UUID': '00000000-0000-4000-8000-000000000000',
        'JUJU_UNIT_NAME': 'maas-backup-coordinator/0',
        'JUJU_VERSION': '3.6.0',
        'LANG': 'C.UTF-8',
        'PATH': f'{scratch}:/usr/bin:/bin',
    }
    try:
        done = subprocess.run(
            [dispatch],
            cwd=unpacked,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f'it had not ended after {_SECONDS} s'
    if done.returncode == 0:
        return ''
    return f'exit status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}'


def _interpreter(python: str) -> str:
    command = [python, '-c', 'import sys; print(sys.executable)']
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
