#!/usr/bin/env python3
"""Begins an operation of maas-backup-coordinator, and waits for its end: for timers and cron.

Run it where the Juju CLI is, with nothing but Python: `run-operation.py backup-all`.

Exit status:
    0  the operation is complete
    1  it could not begin, failed or was aborted; the reason is on standard error
    2  it is held for a person
    3  its end was not seen in time, or the controller could not be asked; it may go on
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

APPLICATION = 'maas-backup-coordinator'
PATIENCE = 30
"""So many looks in a row may fail: a controller restarts now and then."""


class Failed(Exception):
    """Juju, or the coordinator, said no."""


def main() -> int:
    """Run from the command line; return the exit status."""
    given = _parser().parse_args()
    try:
        begun = run(given, given.action, *given.parameters)
        operation_id = begun.get('operation-id') or begun.get('backup-id')
        if begun.get('status') != 'started' or operation_id is None:
            raise Failed('this action begins no operation')
    except Failed as error:
        print(f'{given.action} did not begin: {error}', file=sys.stderr)
        return 1
    print(f'{given.action} {operation_id} has begun', flush=True)
    found = follow(given, operation_id)
    if found is None:
        print(f'{given.action} {operation_id}: no end was seen', file=sys.stderr)
        return 3
    print(f'{given.action} {operation_id}: {found["status"]}', flush=True)
    for text in dict.fromkeys(filter(None, [found['error'], *found['problems']])):
        print(text, file=sys.stderr)
    return {'complete': 0, 'held': 2}.get(found['status'], 1)


def follow(given: argparse.Namespace, operation_id: str) -> dict[str, Any] | None:
    """Look at an operation until it has ended or is held; None when that was not to be seen."""
    end = time.monotonic() + given.hours * 3600
    failures = 0
    while time.monotonic() < end and failures < PATIENCE:
        try:
            found = look(given, operation_id)
            failures = 0
            if found['status'] != 'open':
                return found
        except Failed as error:
            failures += 1
            print(f'cannot look: {error}', file=sys.stderr, flush=True)
        time.sleep(given.every)
    return None


def look(given: argparse.Namespace, operation_id: str) -> dict[str, Any]:
    """Return the record of an operation."""
    found = json.loads(run(given, 'show-operation', 'format=json')['operation'])
    if found['id'] == operation_id:
        return found
    # Another one has begun since: this one is in the history.
    words = ('show-operation', 'format=json', f'operation-id={operation_id}')
    return json.loads(run(given, *words)['operation'])


def run(given: argparse.Namespace, action: str, *parameters: str) -> dict[str, Any]:
    """Run an action on the leader; return its results."""
    log_in(given)
    unit = f'{given.application}/leader'
    command = ['juju', 'run', '--model', given.model, '--format', 'json', '--wait', '5m']
    done = subprocess.run([*command, unit, action, *parameters], capture_output=True, text=True)
    try:
        (task,) = json.loads(done.stdout).values()
    except (ValueError, AttributeError):
        raise Failed(done.stderr.strip() or 'juju run said nothing') from None
    # The exit status of the CLI is 0 even when the action has failed.
    if task['status'] != 'completed':
        raise Failed(task.get('message') or f'the task is {task["status"]}')
    return task['results']


def log_in(given: argparse.Namespace) -> None:
    """Log in with a password from a file, if one is given: a login lasts for 24 hours."""
    if given.password_file is None:
        return
    with open(given.password_file) as file:
        password = file.read()
    # Juju reads a line: without its end it says EOF.
    password = password.removesuffix('\n') + '\n'
    controller, separator, _ = given.model.partition(':')
    where = ['--controller', controller] if separator else []
    # For a user who is logged in already this succeeds, too.
    command = ['juju', 'login', *where, '--user', given.user, '--no-prompt']
    done = subprocess.run(command, input=password, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f'{given.user} cannot log in: {done.stderr.strip()}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Run an operation and wait for its end.')
    parser.add_argument('action', help='backup-all, verify-backup, expire, ...')
    parser.add_argument('parameters', nargs='*', metavar='name=value')
    # Without its owner a name means a model of the user who is logged in.
    parser.add_argument(
        '--model', default='admin/maas', help='as [controller:]owner/model (default admin/maas)'
    )
    parser.add_argument('--application', default=APPLICATION)
    parser.add_argument('--user', help='Juju user to log in as')
    parser.add_argument('--password-file', help='file with the password of that user')
    parser.add_argument('--every', type=float, default=60, metavar='SECONDS')
    parser.add_argument('--hours', type=float, default=23, help='give up after (default 23)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
