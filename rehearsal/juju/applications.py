"""Commands about applications, their units, relations and storage."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, cast

from coordinator.report.tables import table
from rehearsal import cloud, model, permissions
from rehearsal.controller import application, rpc
from rehearsal.juju import command, shown
from rehearsal.juju.command import Failed, Request, argument, flag

if TYPE_CHECKING:
    from rehearsal.controller import session

COMMANDS = command.Commands()

_FORCE = flag('--force')
_DESTROY_STORAGE = flag('--destroy-storage')
_UNITS = argument('-n', '--num-units', type=int, default=1)


@COMMANDS.add(
    'status',
    'show applications and units',
    flag('--relations'),
    flag('--storage'),
    flag('--utc'),
    argument('patterns', nargs='*'),
)
async def _status(request: Request) -> str:
    juju = request.juju
    if request.as_json:
        return shown.written(True, shown.status(juju))
    parts = [shown.status_text(juju)]
    if request.given.relations:
        parts.append('\n'.join(relation.key for relation in juju.relations.values()))
    if request.given.storage and juju.storage:
        parts.append(_storage_text(juju))
    return '\n\n'.join(parts) + '\n'


@COMMANDS.add(
    'deploy',
    'deploy a packed charm',
    argument('charm', help='a file'),
    argument('name', nargs='?', default=''),
    _UNITS,
    argument('--config', action='append', default=[], metavar='key=value'),
    argument('--channel'),
    argument('--base'),
    argument('--constraints'),
    _FORCE,
    flag('--trust'),
)
async def _deploy(request: Request) -> str:
    given = request.given
    _check_enabled(request, 'change')
    path = _charm(request, given.charm)
    name = given.name or path.stem.partition('_')[0]
    config = request.pairs(given.config)
    await request.hosted.deploy(path, name, given.num_units, config)
    return f'Deploying "{name}" from local charm "{path.stem}"\n'


def _charm(request: Request, text: str) -> pathlib.Path:
    if not text.startswith(('.', '/')):
        raise Failed(
            f'resolving "{text}": a rehearsal has no Charmhub, only files such as ./x.charm'
        )
    path = request.folder / text
    if not path.exists():
        raise Failed(f'file for charm "{text}" not found')
    return path


@COMMANDS.add(
    'refresh',
    'give an application another revision of its charm',
    argument('application'),
    argument('--path', required=True, help='a packed charm, or its source tree'),
    _FORCE,
    flag('--force-units'),
    flag('--force-base'),
)
async def _refresh(request: Request) -> str:
    _check_enabled(request, 'change')
    request.hosted.refresh(request.given.application, _charm(request, request.given.path))
    return ''


@COMMANDS.add(
    'config',
    "show or set an application's options",
    argument('application'),
    argument('values', nargs='*', metavar='key=value'),
    argument('--reset', default=''),
)
async def _config(request: Request) -> str:
    name, values = request.given.application, request.pairs(request.given.values)
    app = request.juju.application(name)
    reset = [key for key in request.given.reset.split(',') if key]
    if values or reset:
        _check_enabled(request, 'change')
        request.juju.reset_config(name, reset)
        request.juju.set_config(name, values)
        return ''
    settings = {key: _setting(app, key, option) for key, option in app.charm.options.items()}
    content = {'application': name, 'charm': app.charm.name, 'settings': settings}
    return shown.written(request.as_json, content)


def _setting(app: model.Application, key: str, option: model.Option) -> dict[str, object]:
    """Return an option with its value; one without a value has none."""
    found: dict[str, object] = {'description': option.description, 'type': option.type}
    if option.default is not None:
        found['default'] = option.default
    if key in app.settings:
        found['value'] = app.settings[key]
    return found | {'source': 'user' if key in app.config else 'default'}


@COMMANDS.add('integrate relate', 'relate two applications', argument('one'), argument('other'))
async def _integrate(request: Request) -> str:
    _call(request, 'AddRelation')
    return ''


@COMMANDS.add('remove-relation', 'end a relation', argument('one'), argument('other'), _FORCE)
async def _remove_relation(request: Request) -> str:
    _call(request, 'DestroyRelation')
    return ''


def _call(request: Request, name: str) -> None:
    """Have the controller find out which endpoints are meant, and relate them or end that."""
    juju, given = request.juju, request.given
    method = application.METHODS[name]
    # These methods use nothing of the connection.
    nowhere = cast('session.Session', None)
    params = {'endpoints': [given.one, given.other]}
    call = rpc.Call(nowhere, juju, juju.users[cloud.OPERATOR], params, '')
    method.check(call)
    method.handler(call)


@COMMANDS.add(
    'add-unit',
    'add units to an application',
    argument('application'),
    _UNITS,
    argument('--to', default=''),
    argument('--attach-storage', default=''),
)
async def _add_unit(request: Request) -> str:
    _check_enabled(request, 'change')
    given = request.given
    request.juju.add_units(
        given.application,
        given.num_units,
        [machine for machine in given.to.split(',') if machine],
        [storage for storage in given.attach_storage.split(',') if storage],
    )
    return ''


@COMMANDS.add(
    'remove-unit',
    'remove units',
    argument('units', nargs='+'),
    _DESTROY_STORAGE,
    _FORCE,
    flag('--no-wait'),
)
async def _remove_unit(request: Request) -> str:
    _check_enabled(request, 'remove')
    juju = request.juju
    for name in request.given.units:
        juju.unit(name)
    for name in request.given.units:
        juju.remove_unit(
            name, destroy_storage=request.given.destroy_storage, force=request.given.force
        )
    return ''.join(f'will remove unit {name}\n' for name in request.given.units)


@COMMANDS.add('show-unit', 'show a unit, with what others see of it', argument('unit'))
async def _show_unit(request: Request) -> str:
    unit = request.juju.unit(request.given.unit)
    return shown.written(request.as_json, {unit.name: shown.unit(request.juju, unit)})


@COMMANDS.add('resolve resolved', 'run a failed hook again', argument('unit'), flag('--no-retry'))
async def _resolve(request: Request) -> str:
    given = request.given
    request.juju.resolve(request.juju.unit(given.unit), run_again=not given.no_retry)
    return ''


@COMMANDS.add(
    'remove-application',
    'remove applications, with their units and relations',
    argument('names', nargs='+'),
    _DESTROY_STORAGE,
    _FORCE,
    flag('--no-wait'),
)
async def _remove_application(request: Request) -> str:
    _check_enabled(request, 'remove')
    for name in request.given.names:
        request.juju.remove_application(name, destroy_storage=request.given.destroy_storage)
    return ''.join(f'will remove application {name}\n' for name in request.given.names)


@COMMANDS.add('storage list-storage', 'list storage')
async def _storage(request: Request) -> str:
    if request.as_json:
        return shown.written(True, shown.storage(request.juju))
    return _storage_text(request.juju) + '\n'


def _storage_text(juju: model.Model) -> str:
    rows = [(item.id, item.owner or '(nobody)') for item in juju.storage.values()]
    return table(('Storage', 'Owner'), rows)


@COMMANDS.add(
    'remove-storage', 'destroy storage that no unit has', argument('ids', nargs='+'), _FORCE
)
async def _remove_storage(request: Request) -> str:
    _check_enabled(request, 'remove')
    for storage_id in request.given.ids:
        request.juju.remove_storage(storage_id)
    return ''


def _check_enabled(request: Request, kind: str) -> None:
    permissions.check_blocked(request.juju, kind)
