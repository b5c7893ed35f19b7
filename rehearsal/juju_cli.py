"""`python -m rehearsal juju ...`: the few juju commands that a rehearsal needs.

It is a client of the controller's API like any other, and knows the model only through it.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from coordinator import errors, plain, ports
from coordinator.juju_api import connection, model, wire
from coordinator.report import table

_POLL_SECONDS = 0.3
Command = Callable[[ports.JujuModel, argparse.Namespace], int]


def connect(connection_file: pathlib.Path) -> model.JujuApi:
    """Return a client for the model that a connection file names."""
    found = json.loads(connection_file.read_text())
    return model.JujuApi(
        connection.Endpoint(
            addresses=(found['endpoint'],),
            ca_cert=found['ca-cert'],
            model_uuid=found['model-uuid'],
            username=found['user'],
            password=found['password'],
        )
    )


def status_text(found: ports.ModelStatus) -> str:
    """Return a model as `juju status` lays it out."""
    apps = [
        (
            app.name,
            app.workload_version,
            app.workload,
            str(len(app.units)),
            app.charm,
            app.channel,
            str(app.revision),
            plain.one_line(app.message, 100),
        )
        for app in sorted(found.applications.values(), key=lambda app: app.name)
    ]
    units = [
        (
            unit.name + ('*' if unit.leader else ''),
            unit.workload if unit.alive else 'terminating',
            unit.agent,
            unit.machine,
            plain.one_line(unit.message, 160),
        )
        for app in found.applications.values()
        for unit in sorted(app.units.values(), key=lambda unit: unit.name)
    ]
    parts = [
        f'Model {found.name}, Juju {found.juju_version}, {len(found.machines)} machines',
        table(('App', 'Version', 'Status', 'Scale', 'Charm', 'Channel', 'Rev', 'Message'), apps),
        table(('Unit', 'Workload', 'Agent', 'Machine', 'Message'), units),
    ]
    return '\n\n'.join(parts)


def _status(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    print(status_text(juju.status()))
    return 0


def _run(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    unit: str = given.unit
    if unit.endswith('/leader'):
        unit = juju.leader(unit.removesuffix('/leader'))
    parameters = {key: yaml.safe_load(value) for key, value in _pairs(given.parameters).items()}
    task = juju.run_action(unit, given.action, parameters)
    print(f'Running task {task.id} on {task.unit}', file=sys.stderr)
    end = time.monotonic() + given.wait
    while not task.ended:
        if time.monotonic() > end:
            print(f'timed out waiting for task {task.id}, it goes on', file=sys.stderr)
            return 1
        time.sleep(_POLL_SECONDS)
        task = juju.task(task.id)
    print(results_text(task.results))
    if task.status != 'completed':
        print(f'Action id {task.id} {task.status}: {task.message}', file=sys.stderr)
        return 1
    return 0


def results_text(results: Mapping[str, str]) -> str:
    """Return an action's results as `juju run` lays them out."""
    return '\n'.join(
        f'{key}: |-\n{_indented(value)}' if '\n' in value else f'{key}: {value}'
        for key, value in results.items()
        if key != 'return-code'
    )


def _indented(text: str) -> str:
    return '\n'.join(f'  {line}'.rstrip() for line in text.splitlines())


def _config(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    values = _pairs(given.values)
    if values:
        juju.set_config(given.application, values)
        return 0
    print(yaml.safe_dump(dict(juju.config(given.application)), sort_keys=True), end='')
    return 0


def _secrets(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    rows = [(secret.id, secret.owner, secret.label) for secret in juju.secrets()]
    print(table(('ID', 'Owner', 'Label'), rows))
    return 0


def _show_secret(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    content = juju.reveal_secret(wire.secret_id(given.id)) if given.reveal else {}
    for key, value in content.items():
        print(f'{key}: {value}')
    if not given.reveal:
        print('content is shown with --reveal')
    return 0


def _add_secret(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    content = {
        key.removesuffix('#file'): pathlib.Path(text).read_text() if '#' in key else text
        for key, text in _pairs(given.content).items()
    }
    print(f'secret:{juju.create_secret(given.name, content)}')
    return 0


def _grant_secret(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    found = [secret.id for secret in juju.secrets(given.secret)]
    juju.grant_secret(found[0] if found else wire.secret_id(given.secret), given.application)
    return 0


def _add_unit(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    print('\n'.join(juju.add_units(given.application, given.count)))
    return 0


def _remove_unit(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    juju.remove_unit(given.unit)
    return 0


def _storage(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    rows = [(item.id, item.owner or '(nobody)') for item in juju.storage()]
    print(table(('Storage', 'Owner'), rows))
    return 0


def _show_task(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    task = juju.task(given.id)
    shown: Mapping[str, Any] = {
        'id': task.id,
        'unit': task.unit,
        'action': task.action,
        'status': task.status,
        'message': task.message,
        'results': dict(task.results),
    }
    print(yaml.safe_dump(dict(shown), sort_keys=False), end='')
    return 0


def _cancel_task(juju: ports.JujuModel, given: argparse.Namespace) -> int:
    juju.cancel_task(given.id)
    return 0


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    wrong = [text for text in texts if '=' not in text]
    if wrong:
        raise errors.PreconditionError(f'{wrong[0]!r} is not key=value')
    return dict(text.split('=', 1) for text in texts)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands to the rehearsal's own."""
    commands = parser.add_subparsers(metavar='COMMAND', required=True)

    def command(name: str, run: Command, about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about)
        added.set_defaults(juju_command=run)
        return added

    command('status', _status, 'show applications and units')
    run = command('run', _run, 'run an action and wait for its end')
    run.add_argument('unit', help='app/0 or app/leader')
    run.add_argument('action')
    run.add_argument('parameters', nargs='*', help='key=value')
    run.add_argument('--wait', type=float, default=60.0, help='seconds (default 60)')
    config = command('config', _config, "show or set an application's config")
    config.add_argument('application')
    config.add_argument('values', nargs='*', help='key=value')
    command('secrets', _secrets, 'list secrets')
    show = command('show-secret', _show_secret, 'show a secret')
    show.add_argument('id')
    show.add_argument('--reveal', action='store_true')
    new = command('add-secret', _add_secret, 'make a user secret')
    new.add_argument('name')
    new.add_argument('content', nargs='+', help='key=value or key#file=path')
    grant = command('grant-secret', _grant_secret, 'let an application read a user secret')
    grant.add_argument('secret', help='name or URI')
    grant.add_argument('application')
    add = command('add-unit', _add_unit, 'add units')
    add.add_argument('application')
    add.add_argument('-n', '--count', type=int, default=1)
    command('remove-unit', _remove_unit, 'remove a unit').add_argument('unit')
    command('storage', _storage, 'list storage')
    command('show-task', _show_task, 'show a task').add_argument('id', type=int)
    command('cancel-task', _cancel_task, 'cancel a task').add_argument('id', type=int)


def main(given: argparse.Namespace, connection_file: pathlib.Path) -> int:
    """Run one command against the model that a connection file names."""
    run: Command = given.juju_command
    try:
        with connect(connection_file) as juju:
            return run(juju, given)
    except FileNotFoundError:
        print('no rehearsal is up: python -m rehearsal up', file=sys.stderr)
    except errors.CoordinatorError as error:
        print(f'ERROR {error}', file=sys.stderr)
    return 1
